/* The connections that libcurl has open: what is known of each, and whether one that was kept may
   be used again. libcurl looks, too, but takes a connection for alive that has something to read:
   over TLS that may be the server's good-bye, and anywhere the end of an answer that nobody asked
   for. Nothing here is locked: there is one driver. */
#ifndef ENGINE_CONNECTIONS_H
#define ENGINE_CONNECTIONS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection {
  int references;   /* the list's, as long as it is open, and its transfers' */
  int descriptor;   /* -1: it is closed */
  int local_port;   /* 0: not known yet */
  bool is_in_turns; /* HTTP/1.x is spoken: between a response and the next request the server has
                       nothing to say */
  uint32_t last_stream; /* of HTTP/2's GOAWAY: streams above it are not processed */
};

struct connections {
  struct connection **open; /* in no order */
  size_t count, capacity;
  bool tell_of_tls; /* libcurl and its TLS library tell what goes on there: see words.h */
};

/* Both ends of a connection, as libcurl has them in words: borrowed. */
struct connection_ends {
  const char *local_ip, *peer_ip;
  int local_port, peer_port;
};

/* Has all connections that this handle makes noted, as long as they are open: longer than the
 * handle lives, perhaps. */
void connections_note(struct connections *connections, CURL *easy);

/* Takes note of a socket that was made, or is about to be closed. Without memory its connection
 * stays unknown. */
void connections_add(struct connections *connections, int descriptor);
void connections_remove(struct connections *connections, int descriptor);

/* The connection between these ends, with a reference for the caller; NULL: it is not known. */
struct connection *connections_find(struct connections *connections,
                                    const struct connection_ends *ends);

/* Drops a reference; NULL is allowed. */
void connection_release(struct connection *connection);

/* Whether an open connection has nothing to read and no failure to tell. Takes nothing out of it,
 * never blocks. */
bool connection_is_silent(const struct connection *connection);

/* Forgets all of them. */
void connections_free(struct connections *connections);

#endif
