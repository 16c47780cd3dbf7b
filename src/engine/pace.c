#include "pace.h"

#include <stdlib.h>
#include <string.h>

#include "origin.h"
#include "retry.h"

/* More than that is no number of seconds but a date, as other services give it here, or a slip: no reason to call a service no more. */
#define LONGEST_HOLD_MS ((int64_t)24 * 3600 * 1000)

struct service {
  struct service *next;
  char *key;
  size_t key_length;
  const struct origin *origin;
  int64_t held_until;
  int requests;              /* that have their turn */
  struct turn *first, *last; /* that wait for it */
  bool handing_on;           /* turn_end is at work */
};

/* The length of the part of the URL that names the service. */
static size_t service_length(const char *url) {
  const char *host = strstr(url, "://");
  const char *path = host == NULL ? url : host + 3;
  path += strcspn(path, "/?");
  for (const char *segment = path; *segment == '/';) {
    size_t length = strcspn(segment + 1, "/?");
    if (length > 0 && segment[length] == '_') return (size_t)(segment + 1 - url) + length;
    segment += length + 1;
  }
  return (size_t)(path - url);
}

struct service *service_of(struct loop *loop, const char *url) {
  size_t length = service_length(url);
  for (struct service *service = loop->services; service != NULL; service = service->next)
    if (service->key_length == length && memcmp(service->key, url, length) == 0) return service;
  struct service *service = calloc(1, sizeof *service);
  char *key = strndup(url, length);
  const struct origin *origin = origin_of(loop, url);
  if (service == NULL || key == NULL || origin == NULL) {
    free(service);
    free(key);
    return NULL;
  }
  service->key = key;
  service->key_length = length;
  service->origin = origin;
  service->next = loop->services;
  loop->services = service;
  return service;
}

int64_t service_held_until(const struct service *service) {
  return service->held_until;
}

void service_learn(struct service *service, const struct transfer *transfer, int64_t now_ms) {
  size_t length;
  const char *remaining = transfer_header(transfer, "RateLimit-Remaining", &length);
  if (remaining == NULL || length == 0 || retry_seconds_parse(remaining, length) != 0) return;
  const char *reset = transfer_header(transfer, "RateLimit-Reset", &length);
  int64_t delay_ms = reset == NULL ? -1 : retry_seconds_parse(reset, length);
  if (delay_ms > 0 && delay_ms <= LONGEST_HOLD_MS) service->held_until = now_ms + delay_ms;
}

/* Whether one more may have its turn. Before the first response it is not known whether more than
   one connection's requests would only open a connection each. */
static bool has_room(const struct service *service) {
  bool is_unknown = origin_is_unknown(service->origin);
  return service->requests < (is_unknown ? STREAMS_PER_CONNECTION : MOST_REQUESTS_PER_SERVICE);
}

static void begin(struct turn *turn) {
  turn->counted = true;
  turn->service->requests++;
  turn->begin(turn->owner);
}

void turn_take(struct turn *turn, struct service *service) {
  turn->service = service;
  if (has_room(service)) {
    begin(turn);
    return;
  }
  turn->previous = service->last;
  turn->next = NULL;
  if (service->last != NULL) service->last->next = turn;
  else service->first = turn;
  service->last = turn;
}

static void leave_queue(struct turn *turn) {
  struct service *service = turn->service;
  if (turn->previous != NULL) turn->previous->next = turn->next;
  else service->first = turn->next;
  if (turn->next != NULL) turn->next->previous = turn->previous;
  else service->last = turn->previous;
  turn->previous = turn->next = NULL;
}

void turn_end(struct turn *turn) {
  struct service *service = turn->service;
  if (service == NULL) return;
  if (!turn->counted) {
    leave_queue(turn);
    turn->service = NULL;
    return;
  }
  turn->counted = false;
  turn->service = NULL;
  service->requests--;
  /* One that begins may end at once and come here again: the first to be here begins them all, so that calls do not nest. */
  if (service->handing_on) return;
  service->handing_on = true;
  while (service->first != NULL && has_room(service)) {
    struct turn *waiting = service->first;
    leave_queue(waiting);
    begin(waiting);
  }
  service->handing_on = false;
}

void services_free(struct loop *loop) {
  for (struct service *service = loop->services, *next; service != NULL; service = next) {
    next = service->next;
    free(service->key);
    free(service);
  }
  loop->services = NULL;
}
