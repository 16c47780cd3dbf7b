#include "pace.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "origin.h"
#include "retry.h"

/* More than that is no number of seconds but a date, as other services give it here, or a slip: no reason to call a service no more. */
#define LONGEST_HOLD_MS ((int64_t)24 * 3600 * 1000)

/* So many are kept whether they are of use or not; whenever there are twice as many, those that are
   of none are dropped first. */
#define FEW_SERVICES 64
/* Beyond this many, idle ones are dropped although they asked to be left alone. */
#define MANY_SERVICES 4096

struct service {
  struct service *next;      /* in the same bucket */
  char *key;
  size_t key_length;
  struct origin *origin;
  int64_t held_until;
  int requests;              /* that have their turn */
  struct turn *first, *last; /* that wait for it */
  bool handing_on;           /* turn_end is at work */
};

struct services {
  struct service **buckets;
  size_t bucket_count; /* a power of two */
  size_t count;
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

static void free_service(struct service *service) {
  origin_let_go(service->origin);
  free(service->key);
  free(service);
}

static size_t hash_of(const char *key, size_t length) {
  uint64_t hash = 14695981039346656037U; /* FNV-1a */
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)key[i]) * 1099511628211U;
  return (size_t)(hash ^ hash >> 32);
}

static struct service **bucket_of(const struct services *services, const char *key, size_t length) {
  return &services->buckets[hash_of(key, length) & (services->bucket_count - 1)];
}

/* Drops the services that nobody uses or waits for and that may be called as if they had never been:
   nothing is lost with them. With even_held those, too, that asked to be left alone. */
static void drop_idle(struct services *services, bool even_held) {
  int64_t now = clock_monotonic_ms();
  for (size_t i = 0; i < services->bucket_count; i++) {
    for (struct service **link = &services->buckets[i]; *link != NULL;) {
      struct service *service = *link;
      bool is_idle = service->requests == 0 && service->first == NULL && !service->handing_on;
      if (!is_idle || (service->held_until > now && !even_held)) {
        link = &service->next;
        continue;
      }
      *link = service->next;
      free_service(service);
      services->count--;
    }
  }
}

/* Doubles the buckets; without memory the chains become longer. */
static void widen(struct services *services) {
  struct services wider = {.bucket_count = 2 * services->bucket_count};
  if (wider.bucket_count < FEW_SERVICES) return; /* too many to be counted */
  wider.buckets = calloc(wider.bucket_count, sizeof(struct service *));
  if (wider.buckets == NULL) return;
  for (size_t i = 0; i < services->bucket_count; i++) {
    for (struct service *service = services->buckets[i], *next; service != NULL; service = next) {
      struct service **bucket = bucket_of(&wider, service->key, service->key_length);
      next = service->next;
      service->next = *bucket;
      *bucket = service;
    }
  }
  wider.count = services->count;
  free(services->buckets);
  *services = wider;
}

/* Sees to it that one more does not make many of them. */
static void make_room(struct services *services) {
  if (services->count < services->bucket_count) return;
  drop_idle(services, false);
  if (services->count >= MANY_SERVICES) drop_idle(services, true);
  if (services->count > services->bucket_count / 2) widen(services);
}

/* The loop's, made when there are none. NULL: no memory. */
static struct services *services_of(struct loop *loop) {
  if (loop->services != NULL) return loop->services;
  struct services *services = calloc(1, sizeof *services);
  struct service **buckets = calloc(FEW_SERVICES, sizeof(struct service *));
  if (services == NULL || buckets == NULL) {
    free(services);
    free(buckets);
    return NULL;
  }
  *services = (struct services){.buckets = buckets, .bucket_count = FEW_SERVICES};
  loop->services = services;
  return services;
}

struct service *service_of(struct loop *loop, const char *url) {
  size_t length = service_length(url);
  struct services *services = services_of(loop);
  if (services == NULL) return NULL;
  for (struct service *service = *bucket_of(services, url, length); service != NULL; service = service->next)
    if (service->key_length == length && memcmp(service->key, url, length) == 0) return service;
  struct service *service = calloc(1, sizeof *service);
  char *key = strndup(url, length);
  struct origin *origin = origin_of(loop, url);
  if (service == NULL || key == NULL || origin == NULL) {
    free(service);
    free(key);
    return NULL;
  }
  origin_hold(origin);
  make_room(services);
  struct service **bucket = bucket_of(services, url, length);
  *service = (struct service){.next = *bucket, .key = key, .key_length = length, .origin = origin};
  *bucket = service;
  services->count++;
  return service;
}

size_t services_count(const struct loop *loop) {
  return loop->services == NULL ? 0 : loop->services->count;
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
  struct services *services = loop->services;
  loop->services = NULL;
  if (services == NULL) return;
  for (size_t i = 0; i < services->bucket_count; i++) {
    for (struct service *service = services->buckets[i], *next; service != NULL; service = next) {
      next = service->next;
      free_service(service);
    }
  }
  free(services->buckets);
  free(services);
}
