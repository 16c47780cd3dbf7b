/* Origins: what is known of a server's connections. How many are worth having: over HTTP/2 one carries a hundred
   requests at once, over HTTP/1.1 one. libcurl, left alone, opens a connection for each request that
   finds all streams taken, until another connection is ready to be shared. */
#ifndef ENGINE_ORIGIN_H
#define ENGINE_ORIGIN_H

#include <stdbool.h>

#include "transport.h"

struct loop;

/* Requests that go over one HTTP/2 connection at once, where the server allows as many. */
#define STREAMS_PER_CONNECTION 100

/* The scheme, host and port of an absolute URL; made at first sight. */
struct origin;

/* NULL: no memory. Valid while it has requests or a service holds it, else until the next origin_of:
   those that nobody uses are dropped when they become many. */
struct origin *origin_of(struct loop *loop, const char *url);

/* A request is given to libcurl, and taken back. Both tell it how many connections it may have to
   one host from now on: as many as the busiest origin needs. */
void origin_begin(struct loop *loop, struct origin *origin);
void origin_end(struct loop *loop, struct origin *origin);

/* A service points to it from now on, and no longer. */
void origin_hold(struct origin *origin);
void origin_let_go(struct origin *origin);

/* Takes note of the HTTP version of a response: 10, 11, 20, 30; 0: unknown. */
void origin_learn(struct origin *origin, int http_version);

/* Whether it is not known yet how many requests one of its connections carries. */
bool origin_is_unknown(const struct origin *origin);

/* The certificates to begin with, of those that a client has: more where less did not do before. */
enum trust origin_trust(const struct origin *origin);

/* Takes note that less than that does not do. */
void origin_needs(struct origin *origin, enum trust trust);

void origins_free(struct loop *loop);

#endif
