/* Waiting where libcurl cannot: it asks poll for a socket several times, once for each stream of
   HTTP/2, and poll takes no more entries than the process may have descriptors. Then
   curl_multi_poll fails at once, and loses memory (seen with 7.88.1). */
#ifndef ENGINE_POLL_FEW_H
#define ENGINE_POLL_FEW_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether so many transfers may be too many for curl_multi_poll. */
bool poll_few_is_due(size_t transfers);

/* Waits for the multi handle's sockets and for the descriptor to become readable (-1: none;
   *is_ready: whether it is, or may be), for timeout_ms at most, and never for more than some hundredths of a
   second: a wake-up is not noticed here, nor is a socket with a number beyond FD_SETSIZE. Gives
   whether something is ready. */
bool poll_few(CURLM *multi, int descriptor, bool *is_ready, int timeout_ms);

#endif
