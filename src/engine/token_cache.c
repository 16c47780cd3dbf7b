#include "token_cache.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine_internal.h"
#include "token_source.h"
#include "transport.h"

/* A token reply is a few kilobytes. */
#define LARGEST_REPLY_BYTES (1 << 20)
/* Between failed renewals in the background, doubled each time. */
#define FIRST_RENEWAL_DELAY_MS 1000
#define LONGEST_RENEWAL_DELAY_MS 60000
/* A fetch that no call waits for. */
#define BACKGROUND_TIMEOUT_MS 60000
/* With a store: how often an owner is asked to look for a later token, once this one is near its end. */
#define RENEWAL_QUESTION_MS 30000
/* How often a source without a token is looked at, whether anybody still uses it. */
#define ABANDONED_CHECK_MS 60000

static const struct token_failure no_memory = {.error = CALL_NO_MEMORY, .message = "not enough memory", .retry_after_ms = -1};

struct token_cache {
  struct token_source *source; /* one reference */
  struct loop *loop;
  struct token *token;         /* the current one, or NULL */
  struct flight *waiters;
  bool fetching;
  struct job job;              /* the fetch */
  struct transport_settings *transport; /* the fetch's, of the call that began the latest: those who share the source differ in patience */
  struct timer fetch_deadline;
  struct timer renewal;
  struct buffer form;          /* the fetch's body: holds the secret */
  int failed_renewals;         /* in a row */
  /* With a store. */
  const struct call *fetcher;  /* whose owner has had it fetched, for comparison only: the first choice to save it */
  struct token *refused;       /* the last that was; the store may not know yet */
  bool is_unsaved;             /* nobody was there to save `token` when it came */
  int64_t next_question;       /* clock_boot_ms: not before then is an owner asked to look for a later token */
  struct token_cache *next;    /* in loop->tokens */
};

/* ======================================================================== */
/* Those who wait                                                           */
/* ======================================================================== */

static void join(struct token_cache *cache, struct flight *flight) {
  flight->waits_for_token = true;
  flight->previous_waiter = NULL;
  flight->next_waiter = cache->waiters;
  if (cache->waiters != NULL) cache->waiters->previous_waiter = flight;
  cache->waiters = flight;
}

void token_cache_leave(struct flight *flight) {
  struct token_cache *cache = flight->call->request.token_source->cache;
  if (flight->previous_waiter != NULL) flight->previous_waiter->next_waiter = flight->next_waiter;
  else cache->waiters = flight->next_waiter;
  if (flight->next_waiter != NULL) flight->next_waiter->previous_waiter = flight->previous_waiter;
  flight->previous_waiter = flight->next_waiter = NULL;
  flight->waits_for_token = false;
}

/* Takes the list away from the cache, oldest first, so that a waiter may come back while the others are told. */
static struct flight *take_waiters(struct token_cache *cache) {
  struct flight *oldest = NULL;
  while (cache->waiters != NULL) {
    struct flight *flight = cache->waiters;
    token_cache_leave(flight);
    flight->next_waiter = oldest;
    oldest = flight;
  }
  return oldest;
}

static void tell_ready(struct token_cache *cache) {
  struct token *token = token_retain(cache->token); /* it may be refused while they are told */
  for (struct flight *flight = take_waiters(cache), *next; flight != NULL; flight = next) {
    next = flight->next_waiter;
    flight->next_waiter = NULL;
    engine_call_goes_on(flight->call);
    flight_token_ready(flight, token);
  }
  token_release(token);
}

static void tell_failed(struct token_cache *cache, const struct token_failure *failure) {
  for (struct flight *flight = take_waiters(cache), *next; flight != NULL; flight = next) {
    next = flight->next_waiter;
    flight->next_waiter = NULL;
    flight_token_failed(flight, failure);
  }
}

/* ======================================================================== */
/* The cache                                                                */
/* ======================================================================== */

static void free_cache(struct token_cache *cache) {
  struct loop *loop = cache->loop;
  loop_abort(loop, &cache->job);
  timers_clear(&loop->timers, &cache->job.pause);
  timers_clear(&loop->timers, &cache->fetch_deadline);
  timers_clear(&loop->timers, &cache->renewal);
  struct token_cache **link = &loop->tokens;
  while (*link != cache) link = &(*link)->next;
  *link = cache->next;
  transfer_free(&cache->job.transfer);
  buffer_wipe(&cache->form);
  transport_settings_release(cache->transport);
  token_release(cache->token);
  token_release(cache->refused);
  cache->source->cache = NULL;
  token_source_release(cache->source);
  free(cache);
}

void token_caches_free(struct loop *loop) {
  while (loop->tokens != NULL) free_cache(loop->tokens);
}

void token_caches_sweep(struct loop *loop) {
  if (!token_sources_orphaned()) return;
  for (struct token_cache *cache = loop->tokens, *next; cache != NULL; cache = next) {
    next = cache->next;
    bool is_idle = !cache->fetching && cache->waiters == NULL;
    if (is_idle && cache->source->kind == TOKEN_FUNCTION && token_source_is_abandoned(cache->source)) free_cache(cache);
  }
}

static bool is_usable(const struct token *token) {
  return token != NULL && token_is_usable(token, clock_boot_ms());
}

/* Sets the renewal timer for a moment of clock_boot_ms. Without memory there is no renewal, and the next call fetches. */
static void set_renewal(struct token_cache *cache, int64_t boot_ms) {
  if (boot_ms == INT64_MAX) boot_ms = clock_boot_ms() + ABANDONED_CHECK_MS;
  timers_set(&cache->loop->timers, &cache->renewal, clock_monotonic_ms() + (boot_ms - clock_boot_ms()));
}

/* Whether the endpoint is asked for the next token ahead of time. With a store that is for an owner's Lua to say: all who share it should not. */
static bool renews_by_itself(const struct token_cache *cache) {
  return cache->source->kind == TOKEN_CLIENT_CREDENTIALS && cache->source->store == NULL;
}

/* Takes over a fresh token (one reference) and lets those go on who wait for it. */
static void take_token(struct token_cache *cache, struct token *token) {
  token_release(cache->token);
  cache->token = token;
  cache->failed_renewals = 0;
  cache->is_unsaved = false;
  cache->next_question = token->renew_at;
  set_renewal(cache, renews_by_itself(cache) ? token->renew_at : INT64_MAX);
  tell_ready(cache);
}

/* ======================================================================== */
/* Fetching                                                                 */
/* ======================================================================== */

static void end_fetch(struct token_cache *cache) {
  cache->fetching = false;
  cache->loop->under_way--;
  timers_clear(&cache->loop->timers, &cache->fetch_deadline);
  timers_clear(&cache->loop->timers, &cache->job.pause);
  loop_abort(cache->loop, &cache->job);
  transfer_free(&cache->job.transfer);
  buffer_wipe(&cache->form);
}

/* There is no token. A renewal is tried again while the old token lasts; whoever waits is told. */
static void fail_fetch(struct token_cache *cache, const struct token_failure *failure) {
  int64_t delay = FIRST_RENEWAL_DELAY_MS;
  for (int i = 0; i < cache->failed_renewals && delay < LONGEST_RENEWAL_DELAY_MS; i++) delay *= 2;
  cache->failed_renewals++;
  set_renewal(cache, is_usable(cache->token) ? clock_boot_ms() + delay : INT64_MAX);
  tell_failed(cache, failure);
}

static void on_fetch_deadline(void *owner) {
  struct token_cache *cache = owner;
  end_fetch(cache);
  fail_fetch(cache, &(struct token_failure){.error = CALL_TIMEOUT,
                                            .message = "the token endpoint did not answer in time",
                                            .retry_after_ms = -1,
                                            .retryable = true});
}

static void send_fetch(struct token_cache *cache) {
  static const struct call_header accept = {(char *)"Accept", (char *)"application/json"};
  struct call_body body = {.kind = BODY_BYTES, .bytes = cache->form};
  loop_send(cache->loop, &cache->job,
            &(struct transfer_request){
                .method = "POST",
                .url = cache->source->endpoint,
                .headers = &accept,
                .header_count = 1,
                .content_type = "application/x-www-form-urlencoded",
                .body = &body,
                .transport = cache->transport,
                .max_response_bytes = LARGEST_REPLY_BYTES,
                .repeatable = true,
            });
}

static void on_fetch_pause_over(void *owner) {
  send_fetch(owner);
}

static void record_fetch(struct token_cache *cache, const struct transfer_end *end) {
  struct call_event event = {.kind = EVENT_TOKEN,
                             .status = end->status,
                             .elapsed = (double)(clock_monotonic_ms() - cache->job.sent_ms) / 1000};
  if (end->message != NULL) snprintf(event.message, sizeof event.message, "%s", end->message);
  for (struct flight *flight = cache->waiters; flight != NULL; flight = flight->next_waiter)
    if (flight->call->request.wants_events) engine_call_event(flight->call, &event);
}

/* The call whose owner is to save a token that has come: the one that asked for it, which its owner waits for, else any that waits; else NULL. */
static struct call *choose_saver(const struct token_cache *cache) {
  struct call *saver = NULL;
  for (const struct flight *flight = cache->waiters; flight != NULL; flight = flight->next_waiter)
    if (saver == NULL || flight->call == cache->fetcher) saver = flight->call;
  return saver;
}

/* The token endpoint's last word. */
static void read_reply(struct token_cache *cache, const struct transfer_end *end) {
  const struct buffer *body = &cache->job.transfer.reply_body;
  struct token_reply reply;
  bool got = token_reply_read(end->status, body->data == NULL ? "" : body->data, body->length, clock_boot_ms(), cache->source, &reply);
  end_fetch(cache);
  if (got) {
    struct call *saver = cache->source->store == NULL ? NULL : choose_saver(cache);
    struct call_event save = {.kind = EVENT_STORE_SAVE, .token = reply.token};
    if (saver != NULL) engine_call_event(saver, &save);
    take_token(cache, token_retain(reply.token));
    cache->is_unsaved = cache->source->store != NULL && saver == NULL;
  } else {
    fail_fetch(cache, &(struct token_failure){.error = CALL_AUTH,
                                              .message = reply.message == NULL ? "not enough memory" : reply.message,
                                              .hint = reply.hint,
                                              .code = reply.code,
                                              .status = end->status,
                                              .retry_after_ms = end->retry_after_ms,
                                              .retryable = retry_may_succeed_later(end->outcome, end->status)});
  }
  token_reply_free(&reply);
}

static void on_fetch_end(void *owner, const struct transfer_end *end) {
  struct token_cache *cache = owner;
  struct exchange_answer answer = {.outcome = end->outcome, .status = end->status, .retry_after_ms = end->retry_after_ms};
  record_fetch(cache, end);
  enum exchange_action action =
      exchange_answered(&cache->job.exchange, &answer, clock_monotonic_ms(), loop_random(cache->loop));
  if (action == EXCHANGE_PAUSE && timers_set(&cache->loop->timers, &cache->job.pause, cache->job.exchange.resume_at)) return;
  if (end->outcome == RETRY_RESPONSE) {
    read_reply(cache, end);
    return;
  }
  char message[CURL_ERROR_SIZE + 32];
  snprintf(message, sizeof message, "fetching a token: %s", end->message);
  struct token_failure failure = {.error = end->error,
                                  .message = message,
                                  .hint = end->hint,
                                  .retry_after_ms = -1,
                                  .retryable = retry_may_succeed_later(end->outcome, 0)};
  if (end->error == CALL_TOO_LARGE) {
    failure.error = CALL_AUTH;
    failure.message = "the token endpoint's reply does not end";
    failure.hint = token_hint_wrong_url;
  }
  end_fetch(cache);
  fail_fetch(cache, &failure);
}

/* Begins a fetch as call's request would be sent, NULL: as the one before; unless one is under way, which then may take as many
   attempts and lasts at least until deadline_ms. */
static void fetch(struct token_cache *cache, const struct call *call, int max_attempts, int64_t deadline_ms) {
  struct exchange *exchange = &cache->job.exchange;
  if (cache->fetching) {
    if (max_attempts > exchange->max_attempts) exchange->max_attempts = max_attempts;
    if (deadline_ms > exchange->deadline_ms && timers_set(&cache->loop->timers, &cache->fetch_deadline, deadline_ms))
      exchange->deadline_ms = deadline_ms;
    return;
  }
  *exchange = (struct exchange){.repeatable = true, .max_attempts = max_attempts, .deadline_ms = deadline_ms};
  cache->fetching = true;
  cache->loop->under_way++;
  if (call != NULL && call->request.transport != cache->transport) {
    transport_settings_release(cache->transport);
    cache->transport = transport_settings_retain(call->request.transport);
  }
  if (!token_request_form(cache->source, &cache->form) ||
      !timers_set(&cache->loop->timers, &cache->fetch_deadline, deadline_ms)) {
    end_fetch(cache);
    fail_fetch(cache, &no_memory);
    return;
  }
  send_fetch(cache);
}

static void on_renewal(void *owner) {
  struct token_cache *cache = owner;
  if (!cache->fetching && cache->waiters == NULL && token_source_is_abandoned(cache->source)) {
    free_cache(cache);
    return;
  }
  if (renews_by_itself(cache) && cache->token != NULL) fetch(cache, NULL, 1, clock_monotonic_ms() + BACKGROUND_TIMEOUT_MS);
  else set_renewal(cache, INT64_MAX);
}

/* ======================================================================== */

/* The source's cache in this engine. One that another process left in the memory of a fork is forgotten. NULL: no memory. */
static struct token_cache *cache_of(struct loop *loop, struct token_source *source) {
  if (source->cache != NULL && source->engine == loop->engine) return source->cache;
  struct token_cache *cache = calloc(1, sizeof *cache);
  if (cache == NULL) return NULL;
  /* The forgotten cache's reference is taken over: the parent's is another. */
  cache->source = source->cache == NULL ? token_source_retain(source) : source;
  cache->loop = loop;
  cache->job.owner = cache->job.pause.owner = cache->fetch_deadline.owner = cache->renewal.owner = cache;
  cache->job.ended = on_fetch_end;
  cache->job.pause.expired = on_fetch_pause_over;
  cache->fetch_deadline.expired = on_fetch_deadline;
  cache->renewal.expired = on_renewal;
  cache->next = loop->tokens;
  loop->tokens = cache;
  source->cache = cache;
  source->engine = loop->engine;
  source->answers_taken = atomic_load(&source->answers);
  return cache;
}

/* What is to be done for the store is the owner's to do, whose call has a token and goes on. */
static void tend_store(struct token_cache *cache, struct call *call) {
  int64_t now = clock_boot_ms();
  if (cache->is_unsaved) {
    cache->is_unsaved = false;
    engine_call_event(call, &(struct call_event){.kind = EVENT_STORE_SAVE, .token = cache->token});
  }
  if (now < cache->next_question) return;
  cache->next_question = now + RENEWAL_QUESTION_MS;
  engine_call_event(call, &(struct call_event){.kind = EVENT_STORE_RENEW, .token = cache->token});
}

void token_cache_request(struct loop *loop, struct flight *flight) {
  struct token_source *source = flight->call->request.token_source;
  if (source->fixed != NULL) {
    flight_token_ready(flight, source->fixed);
    return;
  }
  struct token_cache *cache = cache_of(loop, source);
  if (cache == NULL) {
    flight_token_failed(flight, &no_memory);
    return;
  }
  if (is_usable(cache->token)) {
    if (source->store != NULL) tend_store(cache, flight->call);
    flight_token_ready(flight, cache->token);
    return;
  }
  join(cache, flight);
  if (source->kind == TOKEN_FUNCTION || (source->store != NULL && !cache->fetching)) {
    if (source->answers_taken == atomic_load(&source->answers)) engine_call_asks(flight->call);
  } else {
    fetch(cache, flight->call, flight->call->request.max_attempts, flight->job.exchange.deadline_ms);
  }
}

void token_cache_refuse(struct flight *flight) {
  struct token_source *source = flight->call->request.token_source;
  struct token *token = flight->token;
  struct token_cache *cache = source->fixed != NULL ? NULL : cache_of(flight->loop, source);
  if (cache == NULL) return;
  if (source->store != NULL) {
    /* The store may have it from us, or from another process. */
    engine_call_event(flight->call, &(struct call_event){.kind = EVENT_STORE_DROP, .token = token});
    token_release(cache->refused);
    cache->refused = token_retain(token);
  }
  if (cache->token != token) return;
  token_release(cache->token);
  cache->token = NULL;
  set_renewal(cache, INT64_MAX);
}

static bool is_same(const struct token *token, const char *value) {
  return token != NULL && strcmp(token->value, value) == 0;
}

void token_cache_give(struct loop *loop, struct call *call, const char *value, int64_t lifetime_ms) {
  struct token_source *source = call->request.token_source;
  struct token_cache *cache = cache_of(loop, source);
  if (cache == NULL || (source->store != NULL && is_usable(cache->token) && is_same(cache->token, value))) return;
  struct token *token = token_new(value, NULL, clock_boot_ms(), lifetime_ms);
  if (token == NULL) {
    tell_failed(cache, &no_memory);
  } else if (source->store != NULL && (!is_usable(token) || is_same(cache->refused, value))) {
    /* The store lags behind. */
    token_release(token);
    token_cache_fetch(loop, call);
  } else {
    take_token(cache, token);
  }
}

void token_cache_fetch(struct loop *loop, struct call *call) {
  struct token_cache *cache = cache_of(loop, call->request.token_source);
  if (cache == NULL) return;
  struct flight *flight = call->flight;
  cache->fetcher = call;
  if (flight != NULL && flight->waits_for_token) fetch(cache, call, call->request.max_attempts, flight->job.exchange.deadline_ms);
  else if (!is_usable(cache->token) || clock_boot_ms() >= cache->token->renew_at)
    fetch(cache, call, 1, clock_monotonic_ms() + BACKGROUND_TIMEOUT_MS);
}

void token_cache_give_up(struct loop *loop, struct flight *flight, const char *message, bool for_all) {
  struct token_failure failure = {.error = CALL_AUTH, .message = message, .retry_after_ms = -1};
  struct token_cache *cache = cache_of(loop, flight->call->request.token_source);
  if (cache == NULL || !flight->waits_for_token) return;
  if (for_all) {
    tell_failed(cache, &failure);
  } else {
    token_cache_leave(flight);
    flight_token_failed(flight, &failure);
  }
}

void token_cache_ask_again(struct loop *loop, struct token_source *source) {
  struct token_cache *cache = cache_of(loop, source);
  for (struct flight *flight = cache == NULL ? NULL : cache->waiters; flight != NULL; flight = flight->next_waiter)
    engine_call_asks(flight->call);
}
