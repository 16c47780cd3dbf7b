/* What the TLS library has decrypted and nobody has read: libcurl reads a response to its last
   byte, and what lay behind it in the same record of TLS would be taken for the beginning of the
   next one. */
#ifndef ENGINE_TLS_REST_H
#define ENGINE_TLS_REST_H

#include <curl/curl.h>
#include <stdbool.h>

/* Whether there is some on the handle's connection; called from one of its callbacks. false where
   the library is neither OpenSSL nor GnuTLS, or cannot be asked. */
bool tls_has_rest(CURL *easy);

#endif
