#include "token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "token_source.h"
#include "transport.h"
#include "url.h"

/* How long before its end a token is no longer used (clocks and networks are not exact) and, well before that, is renewed; both shorter
   for short-lived tokens. golang.org/x/oauth2 uses the same 10 s. */
#define UNUSABLE_BEFORE_EXPIRY_MS 10000
#define RENEWED_BEFORE_EXPIRY_MS 300000

/* What a token request's form has besides values. */
#define FORM_NAMES_LENGTH (sizeof "grant_type=client_credentials&client_id=&client_secret=&scope=")

/* All sources of the process, so that equal ones are found. */
static pthread_mutex_t sources_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct token_source *sources;
static atomic_bool some_orphaned; /* see token_sources_orphaned */

/* ======================================================================== */
/* Tokens                                                                   */
/* ======================================================================== */

static int64_t smaller(int64_t one, int64_t other) {
  return one < other ? one : other;
}

struct token *token_new(const char *value, const char *scope, int64_t now, int64_t lifetime_ms) {
  struct token *token = calloc(1, sizeof *token);
  if (token == NULL) return NULL;
  atomic_init(&token->references, 1);
  token->value = strdup(value);
  token->scope = scope == NULL ? NULL : strdup(scope);
  if (token->value == NULL || (scope != NULL && token->scope == NULL)) {
    token_release(token);
    return NULL;
  }
  if (lifetime_ms < 0 || lifetime_ms > INT64_MAX - now) {
    token->expires_at = token->renew_at = token->usable_until = INT64_MAX;
  } else {
    token->expires_at = now + lifetime_ms;
    token->usable_until = token->expires_at - smaller(UNUSABLE_BEFORE_EXPIRY_MS, lifetime_ms / 10);
    token->renew_at = token->expires_at - smaller(RENEWED_BEFORE_EXPIRY_MS, lifetime_ms / 5);
  }
  return token;
}

struct token *token_retain(struct token *token) {
  atomic_fetch_add_explicit(&token->references, 1, memory_order_relaxed);
  return token;
}

void token_release(struct token *token) {
  if (token == NULL || atomic_fetch_sub_explicit(&token->references, 1, memory_order_acq_rel) != 1) return;
  secret_free(token->value);
  free(token->scope);
  free(token);
}

bool token_is_usable(const struct token *token, int64_t now) {
  return now < token->usable_until;
}

/* ======================================================================== */
/* Sources                                                                  */
/* ======================================================================== */

static bool same(const char *one, const char *other) {
  return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool has_key(const struct token_source *source, const struct token_key *key, const struct transport_settings *transport) {
  return source->kind == key->kind && source->owner == key->owner && same(source->endpoint, key->endpoint) &&
         same(source->client_id, key->client_id) && same(source->client_secret, key->client_secret) &&
         same(source->scope, key->scope) && same(source->store, key->store) &&
         same(source->fixed == NULL ? NULL : source->fixed->value, key->access_token) &&
         transport_settings_equal(source->transport, transport);
}

/* Frees a source that is in no list. */
static void free_source(struct token_source *source) {
  free(source->endpoint);
  free(source->client_id);
  secret_free(source->client_secret);
  free(source->scope);
  free(source->store);
  token_release(source->fixed);
  transport_settings_release(source->transport);
  free(source);
}

/* Copies a string of the key, NULL included. false: no memory. */
static bool copy(char **to, const char *from) {
  *to = from == NULL ? NULL : strdup(from);
  return from == NULL || *to != NULL;
}

static struct token_source *new_source(const struct token_key *key, struct transport_settings *transport) {
  struct token_source *source = calloc(1, sizeof *source);
  if (source == NULL) return NULL;
  source->references = 1;
  source->kind = key->kind;
  source->owner = key->owner;
  source->transport = transport_settings_retain(transport);
  bool copied = copy(&source->endpoint, key->endpoint) && copy(&source->client_id, key->client_id) &&
                copy(&source->client_secret, key->client_secret) && copy(&source->scope, key->scope) &&
                copy(&source->store, key->store);
  if (copied && key->access_token != NULL) {
    source->fixed = token_new(key->access_token, NULL, 0, -1);
    copied = source->fixed != NULL;
  }
  if (copied) return source;
  free_source(source);
  return NULL;
}

struct token_source *token_source_get(const struct token_key *key, struct transport_settings *transport) {
  pthread_mutex_lock(&sources_mutex);
  struct token_source *source = sources;
  while (source != NULL && !has_key(source, key, transport)) source = source->next;
  if (source != NULL) {
    source->references++;
  } else {
    source = new_source(key, transport);
    if (source != NULL) {
      source->next = sources;
      sources = source;
    }
  }
  pthread_mutex_unlock(&sources_mutex);
  return source;
}

struct token_source *token_source_retain(struct token_source *source) {
  pthread_mutex_lock(&sources_mutex);
  source->references++;
  pthread_mutex_unlock(&sources_mutex);
  return source;
}

void token_source_release(struct token_source *source) {
  if (source == NULL) return;
  pthread_mutex_lock(&sources_mutex);
  bool last = --source->references == 0;
  if (last) {
    struct token_source **link = &sources;
    while (*link != source) link = &(*link)->next;
    *link = source->next;
  }
  /* Nobody can come to share it again. */
  if (source->references == 1 && source->kind == TOKEN_FUNCTION) some_orphaned = true;
  pthread_mutex_unlock(&sources_mutex);
  if (last) free_source(source);
}

bool token_sources_orphaned(void) {
  return some_orphaned && atomic_exchange(&some_orphaned, false);
}

bool token_source_is_abandoned(const struct token_source *source) {
  pthread_mutex_lock(&sources_mutex);
  bool abandoned = source->references == 1;
  pthread_mutex_unlock(&sources_mutex);
  return abandoned;
}

void token_sources_before_fork(void) {
  pthread_mutex_lock(&sources_mutex);
}

void token_sources_after_fork(void) {
  pthread_mutex_unlock(&sources_mutex);
}

const char *token_source_store(const struct token_source *source) {
  return source->store;
}

enum token_kind token_source_kind(const struct token_source *source) {
  return source->kind;
}

const char *token_source_endpoint(const struct token_source *source) {
  return source->endpoint;
}

bool token_request_form(const struct token_source *source, struct buffer *form) {
  /* At once as much as it may need: a buffer that grows leaves what it held where it was. */
  size_t longest = strlen(source->client_id) + strlen(source->client_secret) + (source->scope == NULL ? 0 : strlen(source->scope));
  return buffer_reserve(form, 3 * longest + FORM_NAMES_LENGTH) && url_append_form_field(form, "grant_type", "client_credentials") &&
         url_append_form_field(form, "client_id", source->client_id) &&
         url_append_form_field(form, "client_secret", source->client_secret) &&
         (source->scope == NULL || source->scope[0] == '\0' || url_append_form_field(form, "scope", source->scope));
}
