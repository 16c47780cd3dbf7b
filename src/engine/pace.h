/* Pace: how many requests a service has at once, and when it asked not to be called. A service is an origin with the first path
   segment that ends in '_', if there is one: the unit in which UiPath counts. */
#ifndef ENGINE_PACE_H
#define ENGINE_PACE_H

#include <stdint.h>

#include "loop.h"
#include "transfer.h"

/* More than this many requests at once only wait in the server's queue, and each costs a connection
   where HTTP/2 is not spoken. Over HTTP/2 they go over three: see origin.h. */
#define MOST_REQUESTS_PER_SERVICE 256

/* One that waits for its turn; embedded in its owner. */
struct turn {
  struct service *service;   /* in which it is queued or counted; NULL: neither */
  bool counted;              /* it has its turn */
  struct turn *previous, *next;
  void (*begin)(void *owner); /* its turn has come */
  void *owner;
};

/* The service of an absolute URL, made at first sight. NULL: no memory. Valid while it has turns, else
   until the next service_of: those that nobody uses are dropped when they become many. */
struct service *service_of(struct loop *loop, const char *url);

/* Until when (monotonic ms) the service asked to be left alone; 0: it did not. */
int64_t service_held_until(const struct service *service);

/* Takes note of RateLimit-Remaining and RateLimit-Reset in a reply. */
void service_learn(struct service *service, const struct transfer *transfer, int64_t now_ms);

/* Calls turn->begin, at once or when others have ended their turn. */
void turn_take(struct turn *turn, struct service *service);

/* Ends the turn, or the waiting for it; nothing happens if there is none. */
void turn_end(struct turn *turn);

/* How many services are remembered. */
size_t services_count(const struct loop *loop);

void services_free(struct loop *loop);

#endif
