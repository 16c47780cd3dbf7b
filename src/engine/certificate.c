#include "certificate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Whether the library in use is one of those named so. A libcurl that has several puts the others'
   names in parentheses. */
static bool is_in_use(const char *libraries, const char *name) {
  size_t length = strlen(name);
  for (const char *word = libraries; *word != '\0'; word += strcspn(word, " ")) {
    word += strspn(word, " ");
    if (strncasecmp(word, name, length) == 0) return true;
  }
  return false;
}

/* X509_V_ERR_…, of openssl/x509_vfy.h. */
static enum certificate_fault openssl_fault(long verdict) {
  enum { FINE = 0, NOT_LOOKED_AT = 1, NOT_YET_VALID = 9, HAS_EXPIRED = 10 };
  switch (verdict) {
    case FINE:
    case NOT_LOOKED_AT: /* libcurl checks the name first */
      return CERTIFICATE_WRONG_HOST;
    case NOT_YET_VALID:
    case HAS_EXPIRED:
      return CERTIFICATE_OUT_OF_DATE;
    default:
      return CERTIFICATE_UNKNOWN_ISSUER;
  }
}

/* The bits of gnutls_certificate_status_t, of gnutls/gnutls.h. Where there is no known issuer, it
   says nothing of the date. */
static enum certificate_fault gnutls_fault(long verdict) {
  enum { NOT_YET_VALID = 1 << 9, HAS_EXPIRED = 1 << 10 };
  if (verdict == 0) return CERTIFICATE_WRONG_HOST;
  if (verdict & (NOT_YET_VALID | HAS_EXPIRED)) return CERTIFICATE_OUT_OF_DATE;
  return CERTIFICATE_UNKNOWN_ISSUER;
}

enum certificate_fault certificate_fault(const char *libraries, long verdict, const char *message) {
  static const char *const like_openssl[] = {"OpenSSL", "LibreSSL", "BoringSSL", "AWS-LC", "quictls"};
  if (libraries == NULL) libraries = "";
  for (size_t i = 0; i < sizeof like_openssl / sizeof *like_openssl; i++)
    if (is_in_use(libraries, like_openssl[i])) return openssl_fault(verdict);
  if (is_in_use(libraries, "GnuTLS")) return gnutls_fault(verdict);
  if (strcasestr(message, "expired") != NULL) return CERTIFICATE_OUT_OF_DATE;
  return CERTIFICATE_UNCLEAR;
}
