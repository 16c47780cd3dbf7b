/* How a transfer's request goes out: over which connection, and whether it goes out once more at
   once because it is known that no server has acted on it. */
#ifndef ENGINE_SENDING_H
#define ENGINE_SENDING_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "connections.h"

struct transfer;

struct sending {
  struct connections *connections; /* the loop's */
  struct connection *connection;   /* that it was last sent over; one reference, NULL: not known */
  uint32_t stream;                 /* of HTTP/2, that it was last sent on; 0: none */
  bool is_https;
  bool is_refused;  /* it is known that the server has not processed it */
  bool is_stale;    /* it was not sent, as the kept connection had something to read */
  bool has_goodbye; /* over TLS the server has said that it closes the connection */
  int refusals; /* how many of the starts but the last one came to nothing, by the server's word */
  long made;    /* connections, by libcurl, for it */
};

/* Has the transfer's handle, which is set up for this URL, ask and tell what is needed here. */
void sending_begin(struct transfer *transfer, const char *url);

/* A status line has come. */
void sending_has_status(struct transfer *transfer, const char *line);

/* Whether the server said that it did not process the request that was sent last (HTTP/2's GOAWAY
 * and REFUSED_STREAM). */
bool sending_was_refused(const struct transfer *transfer);

/* Whether the connection ended without the server's good-bye, where TLS has one: anybody may have
 * ended it. */
bool sending_lacks_goodbye(const struct transfer *transfer);

/* Whether it is to be sent at once over another connection, for which the handle is ready to be
   added to the multi handle again: it was held back because a kept connection (which libcurl has
   closed) had something to read, or an HTTP/2 server refused it. */
bool sending_starts_anew(struct transfer *transfer, CURLcode result);

/* Lets go of the connection. */
void sending_end(struct transfer *transfer);

#endif
