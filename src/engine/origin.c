#include "origin.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "loop.h"

/* To one host, however many requests are under way. */
#define MOST_CONNECTIONS 128L

/* As many as a service's requests need over HTTP/2. That one closes when little is to be done is no
   reason to have one less, so that this is the least. */
#define FEWEST_CONNECTIONS 3L

/* So many are kept whether they are of use or not; whenever there are twice as many as were of use
   the last time, those that are of none are dropped. */
#define FEW_ORIGINS 64

struct origin {
  struct origin *next;
  char *key;
  size_t key_length;
  enum { UNKNOWN, SHARES, SHARES_NOT } kind; /* its connections, between requests */
  long requests;                             /* under way */
  long services;                             /* that hold it */
  enum trust trust;                          /* that its connections need */
};

/* Whether the URL goes on after what it begins with by a path or a query, or ends there. */
static bool is_of(const struct origin *origin, const char *url) {
  if (strncmp(origin->key, url, origin->key_length) != 0) return false;
  char next = url[origin->key_length];
  return next == '/' || next == '?' || next == '\0';
}

static void free_origin(struct origin *origin) {
  free(origin->key);
  free(origin);
}

/* Sees to it that one more does not make many of them. What is lost with those that nobody uses is
   learned again by the next request. */
static void make_room(struct loop *loop) {
  if (loop->origin_count < loop->origin_room) return;
  for (struct origin **link = &loop->origins; *link != NULL;) {
    struct origin *origin = *link;
    if (origin->requests > 0 || origin->services > 0) {
      link = &origin->next;
      continue;
    }
    *link = origin->next;
    free_origin(origin);
    loop->origin_count--;
  }
  size_t room = 2 * loop->origin_count;
  loop->origin_room = room < FEW_ORIGINS ? FEW_ORIGINS : room;
}

struct origin *origin_of(struct loop *loop, const char *url) {
  for (struct origin *origin = loop->origins; origin != NULL; origin = origin->next)
    if (is_of(origin, url)) return origin;
  const char *host = strstr(url, "://");
  size_t length = host == NULL ? 0 : (size_t)(host + 3 - url);
  length += strcspn(url + length, "/?");
  struct origin *origin = calloc(1, sizeof *origin);
  char *key = strndup(url, length);
  if (origin == NULL || key == NULL) {
    free(origin);
    free(key);
    return NULL;
  }
  make_room(loop);
  origin->key = key;
  origin->key_length = length;
  /* HTTP/2 is not asked for without TLS. */
  origin->kind = strncasecmp(url, "http:", 5) == 0 ? SHARES_NOT : UNKNOWN;
  origin->next = loop->origins;
  loop->origins = origin;
  loop->origin_count++;
  return origin;
}

/* Where it is not known whether connections are shared, libcurl waits for the first one to tell, and
   needs one for each request when they are not. */
static long connections_for(const struct origin *origin) {
  if (origin->kind != SHARES) return origin->requests;
  return (origin->requests + STREAMS_PER_CONNECTION - 1) / STREAMS_PER_CONNECTION;
}

/* The limit is one for all hosts, so that the one that needs most decides. */
static void tell_limit(struct loop *loop) {
  long most = FEWEST_CONNECTIONS;
  for (const struct origin *origin = loop->origins; origin != NULL; origin = origin->next) {
    long needed = connections_for(origin);
    if (needed > most) most = needed;
  }
  if (most > MOST_CONNECTIONS) most = MOST_CONNECTIONS;
  if (most == loop->connections_per_host) return;
  loop->connections_per_host = most;
  curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
}

void origin_begin(struct loop *loop, struct origin *origin) {
  origin->requests++;
  tell_limit(loop);
}

void origin_end(struct loop *loop, struct origin *origin) {
  origin->requests--;
  tell_limit(loop);
}

void origin_hold(struct origin *origin) {
  origin->services++;
}

void origin_let_go(struct origin *origin) {
  origin->services--;
}

void origin_learn(struct origin *origin, int http_version) {
  if (http_version > 0) origin->kind = http_version >= 20 ? SHARES : SHARES_NOT;
}

bool origin_is_unknown(const struct origin *origin) {
  return origin->kind == UNKNOWN;
}

enum trust origin_trust(const struct origin *origin) {
  return origin->trust;
}

void origin_needs(struct origin *origin, enum trust trust) {
  if (origin->trust < trust) origin->trust = trust;
}

void origins_free(struct loop *loop) {
  for (struct origin *origin = loop->origins, *next; origin != NULL; origin = next) {
    next = origin->next;
    free_origin(origin);
  }
  loop->origins = NULL;
  loop->origin_count = 0;
}
