#include "tls_rest.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

typedef int openssl_function(const void *session);
typedef size_t gnutls_function(void *session);

/* A function of the library that libcurl itself uses, or NULL: the process may have another of the
   same name, and this module is linked with none. */
static void *find(const char *name) {
  curl_version_info_data *(*of_libcurl)(CURLversion) = curl_version_info;
  void *address = NULL;
  Dl_info where;
  memcpy(&address, &of_libcurl,
         sizeof address); /* C has no other way from a function to an object */
  if (dladdr(address, &where) == 0 || where.dli_fname == NULL) return NULL;
  void *library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL) return NULL;
  void *found = dlsym(library, name);
  dlclose(library); /* it stays, as this module needs it */
  return found;
}

/* The same, looked for once for each name. */
static void *find_once(const char *name, _Atomic(void *) *known) {
  static char nothing;
  void *found = atomic_load_explicit(known, memory_order_relaxed);
  if (found == NULL) {
    found = find(name);
    if (found == NULL) found = &nothing;
    atomic_store_explicit(known, found, memory_order_relaxed);
  }
  return found == &nothing ? NULL : found;
}

static bool openssl_has_rest(const void *session) {
  static _Atomic(void *) known;
  void *found = find_once("SSL_pending", &known);
  openssl_function *pending;
  memcpy(&pending, &found, sizeof pending);
  return pending != NULL && pending(session) > 0;
}

static bool gnutls_has_rest(void *session) {
  static _Atomic(void *) known;
  void *found = find_once("gnutls_record_check_pending", &known);
  gnutls_function *pending;
  memcpy(&pending, &found, sizeof pending);
  return pending != NULL && pending(session) > 0;
}

bool tls_has_rest(CURL *easy) {
  struct curl_tlssessioninfo *info = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
      info->internals == NULL)
    return false;
  switch (info->backend) {
    case CURLSSLBACKEND_OPENSSL: return openssl_has_rest(info->internals);
    case CURLSSLBACKEND_GNUTLS: return gnutls_has_rest(info->internals);
    default: return false;
  }
}
