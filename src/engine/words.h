/* What libcurl says while it works. Some things it tells in no other way than by these lines, which
   are meant for people: that a server declares a stream of HTTP/2 untouched, so that the request
   may be sent again whatever it asks for (RFC 9113, 6.8 and 8.7), and that the end of a TLS
   connection is the server's own and no third party's. */
#ifndef ENGINE_WORDS_H
#define ENGINE_WORDS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum words {
  WORDS_OTHER,
  WORDS_STREAM_OPENED, /* the transfer has the stream of that number, of which nothing has been sent
                          yet */
  WORDS_STREAM_REFUSED, /* the transfer's stream was not processed; libcurl is about to send it anew
                         */
  WORDS_RETRYING, /* libcurl is about to send the transfer's request anew, for that reason or
                     another */
  WORDS_GOAWAY, /* the server leaves the transfer's connection: streams above that number are not
                   processed */
  WORDS_TLS_MESSAGE, /* the server's part of a handshake has come: libcurl speaks of such things */
  WORDS_TLS_GOODBYE  /* the server has said that it closes the transfer's connection */
};

/* Reads a line (length bytes) of libcurl, 7.87 to 8.21: any other says nothing. *number is set with
 * WORDS_STREAM_OPENED and WORDS_GOAWAY. */
enum words words_read(const char *line, size_t length, uint32_t *number);

/* Has the handle tell the callback its lines (CURLINFO_TEXT), and more. */
void words_listen(CURL *easy, curl_debug_callback callback, void *user);

/* Has libcurl tell a stream that was refused from a connection that broke: only after the former it
   sends the request anew by itself, and says so. */
void words_for_refused_alone(CURL *easy);

#endif
