#include "transport.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "proxy.h"
#include "url.h"

/* Where distributions keep the certificates of authorities under their subject's hash. OpenSSL reads one file per chain from
   there, and a bundle of 140 as a whole for each new connection: 20 ms. */
static const char *const hashed_directories[] = {"/etc/ssl/certs", "/etc/pki/tls/certs", NULL};

/* Whether a file name is of the form 0123abcd.0, which marks a hashed directory. */
static bool is_hashed_name(const char *name) {
  return strlen(name) == 10 && strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] == '0';
}

static bool is_hashed_directory(const char *path) {
  DIR *directory = opendir(path);
  if (directory == NULL) return false;
  bool found = false;
  for (const struct dirent *entry; !found && (entry = readdir(directory)) != NULL;) found = is_hashed_name(entry->d_name);
  closedir(directory);
  return found;
}

bool transport_has_certificates(const char *ca_dir) {
  char path[1024];
  for (const char *cursor = ca_dir; *cursor != '\0'; cursor += strspn(cursor, ":")) {
    size_t length = strcspn(cursor, ":");
    if (length < sizeof path) {
      memcpy(path, cursor, length);
      path[length] = '\0';
      if (is_hashed_directory(path)) return true;
    }
    cursor += length;
  }
  return false;
}

/* The system's hashed directory, or NULL. Looked for once: a second time costs a directory walk. */
static const char *system_directory(void) {
  static _Atomic(const char *) known;
  const char *found = atomic_load_explicit(&known, memory_order_relaxed);
  if (found == NULL) {
    found = "";
    for (size_t i = 0; hashed_directories[i] != NULL; i++)
      if (is_hashed_directory(hashed_directories[i])) {
        found = hashed_directories[i];
        break;
      }
    atomic_store_explicit(&known, found, memory_order_relaxed);
  }
  return found[0] == '\0' ? NULL : found;
}

/* Whether a file can be read and has a certificate in it. */
static bool has_certificate(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  char line[128];
  bool found = false;
  while (!found && fgets(line, sizeof line, file) != NULL)
    found = strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE-----") != NULL;
  fclose(file);
  return found;
}

/* A file that is of no use is to be told of, even where the directory would do. */
static enum trust least_trust(const char *ca_file, const char *ca_dir) {
  if (ca_file == NULL || ca_dir == NULL || !has_certificate(ca_file)) return TRUST_BOTH;
  return transport_has_certificates(ca_dir) ? TRUST_DIRECTORY : TRUST_FILE;
}

/* strdup that passes NULL on. *failed is set when there is no memory. */
static char *copy(const char *string, bool *failed) {
  if (string == NULL) return NULL;
  char *copied = strdup(string);
  if (copied == NULL) *failed = true;
  return copied;
}

/* Sets proxy, proxy_user and proxy_password: libcurl gets them apart, so that none of its messages holds the password. */
static void split_proxy(struct transport_settings *settings, const char *proxy, bool *failed) {
  struct proxy_parts parts;
  if (proxy == NULL) return;
  if (proxy_split(proxy, &parts) != NULL || parts.user == NULL) {
    settings->proxy = copy(proxy, failed);
    return;
  }
  struct buffer address = BUFFER_EMPTY;
  bool appended = buffer_append(&address, proxy, parts.scheme_length) && buffer_append_string(&address, parts.address);
  settings->proxy = address.data;
  settings->proxy_user = url_unescape(parts.user, parts.user_length);
  if (parts.password != NULL) settings->proxy_password = url_unescape(parts.password, parts.password_length);
  if (!appended || settings->proxy_user == NULL || (parts.password != NULL && settings->proxy_password == NULL)) *failed = true;
}

static void free_settings(struct transport_settings *settings) {
  free((char *)settings->ca_file);
  free((char *)settings->ca_dir);
  free((char *)settings->proxy);
  free((char *)settings->proxy_user);
  secret_free((char *)settings->proxy_password);
  free((char *)settings->no_proxy);
  free(settings);
}

struct transport_settings *transport_settings_new(const struct transport_settings *like) {
  struct transport_settings *settings = calloc(1, sizeof *settings);
  if (settings == NULL) return NULL;
  bool failed = false;
  atomic_init(&settings->references, 1);
  settings->insecure = like->insecure;
  settings->connect_timeout_ms = like->connect_timeout_ms;
  settings->least_trust = least_trust(like->ca_file, like->ca_dir);
  settings->ca_file = copy(like->ca_file, &failed);
  settings->ca_dir = copy(like->ca_file == NULL && like->ca_dir == NULL ? system_directory() : like->ca_dir, &failed);
  split_proxy(settings, like->proxy, &failed);
  settings->no_proxy = copy(like->no_proxy, &failed);
  if (!failed) return settings;
  free_settings(settings);
  return NULL;
}

struct transport_settings *transport_settings_retain(struct transport_settings *settings) {
  atomic_fetch_add_explicit(&settings->references, 1, memory_order_relaxed);
  return settings;
}

void transport_settings_release(struct transport_settings *settings) {
  if (settings == NULL || atomic_fetch_sub_explicit(&settings->references, 1, memory_order_acq_rel) != 1) return;
  free_settings(settings);
}

static bool same(const char *one, const char *other) {
  return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

bool transport_settings_equal(const struct transport_settings *one, const struct transport_settings *other) {
  return one == other || (one->insecure == other->insecure && same(one->ca_file, other->ca_file) && same(one->ca_dir, other->ca_dir) &&
                          same(one->proxy, other->proxy) && same(one->proxy_user, other->proxy_user) &&
                          same(one->proxy_password, other->proxy_password) && same(one->no_proxy, other->no_proxy));
}
