/* Trust: which certificates of authorities are read for a connection.

   OpenSSL takes 20 ms to read a bundle of 140. libcurl (7.87 and later) keeps what it has read for
   the connections after that, but not where there is a directory beside the file: so one of them
   goes alone, and both go together only where neither vouches for the server by itself. */
#ifndef ENGINE_TRUST_H
#define ENGINE_TRUST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

/* Sets the certificates that a request's connection is made with; settings is not kept. false: no
   memory. */
bool trust_set(CURL *easy, const struct transport_settings *settings, enum trust trust);

/* How old, in s, certificates may be that were read before from a file that was changed last at
   changed_ms, so that they are no others than it has now; 0: they are to be read anew. Both in ms
   since 1970. */
long trust_longest_age(int64_t changed_ms, int64_t now_ms);

#endif
