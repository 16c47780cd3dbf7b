#include "flight.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "download.h"
#include "engine_internal.h"
#include "progress.h"
#include "token.h"
#include "token_cache.h"
#include "token_source.h"
#include "url.h"

#define MESSAGE_SIZE 512

static const char message_cancelled[] = "the call was cancelled";
static const char hint_may_have_acted[] =
    "the server may have acted on it: look before you send it again (idempotent = true lets it be sent again without that)";

static void act(struct flight *flight, enum exchange_action action);
static bool streams(const struct flight *flight);

/* ======================================================================== */
/* The end                                                                  */
/* ======================================================================== */

/* Takes the flight out of everything and frees it; its call keeps nothing of it. */
static void free_flight(struct flight *flight) {
  struct loop *loop = flight->loop;
  if (flight->previous != NULL) flight->previous->next = flight->next;
  else loop->flights = flight->next;
  if (flight->next != NULL) flight->next->previous = flight->previous;
  loop->under_way--;
  if (flight->waits_for_token) token_cache_leave(flight);
  loop_abort(loop, &flight->job);
  timers_clear(&loop->timers, &flight->job.pause);
  timers_clear(&loop->timers, &flight->deadline);
  timers_clear(&loop->timers, &flight->progress);
  turn_end(&flight->turn); /* another's turn may come by that, and be over at once */
  token_release(flight->token);
  transfer_free(&flight->job.transfer);
  buffer_free(&flight->redirected);
  free(flight);
}

/* The call is over. What has come stays only where the download may go on with another address: after an answer. */
static void finish_download(struct flight *flight) {
  struct call_reply *reply = &flight->call->reply;
  struct download *download = flight->call->request.download;
  bool is_good = reply->error == CALL_OK && reply->status / 100 == 2;
  if (reply->error != CALL_OK) file_sink_discard(&download->sink);
  reply->is_in_file = is_good && download->place == DOWNLOAD_IN_FILE;
  reply->file_bytes = reply->is_in_file ? download->sink.length : 0;
}

/* Ends the call with what its reply says already; the transfer's headers and body become the reply's. */
static void finish(struct flight *flight) {
  struct call *call = flight->call;
  struct call_reply *reply = &call->reply;
  progress_tell(flight);
  if (call->request.download != NULL) finish_download(flight);
  reply->attempts = flight->job.exchange.attempts;
  reply->elapsed = (double)(clock_monotonic_ms() - flight->submitted_ms) / 1000;
  reply->headers = flight->job.transfer.reply_headers;
  reply->body = flight->job.transfer.reply_body;
  flight->job.transfer.reply_headers = flight->job.transfer.reply_body = BUFFER_EMPTY;
  reply->url = flight->redirected;
  flight->redirected = BUFFER_EMPTY;
  reply->token = flight->token;
  flight->token = NULL;
  call->flight = NULL;
  free_flight(flight);
  engine_call_done(call);
}

static void record_one(struct flight *flight, int attempt, int64_t elapsed_ms, int status, const char *message) {
  struct call_event event = {.kind = EVENT_ATTEMPT, .attempt = attempt, .status = status, .elapsed = (double)elapsed_ms / 1000};
  if (message != NULL) snprintf(event.message, sizeof event.message, "%s", message);
  engine_call_event(flight->call, &event);
}

/* Records what the last transfer came to. The attempts that were repeated at once have events of their own before; it is known only when the
   last one began, and the time until then is counted as the first one's. Where both reasons for that were met, they are told in this order. */
static void record_attempts(struct flight *flight, int repetitions, int status, const char *message) {
  if (!flight->call->request.wants_events) return;
  int last = flight->job.exchange.attempts;
  int64_t begun_ms = flight->job.sent_ms;
  for (int i = repetitions; i > 0; i--) {
    record_one(flight, last - i, flight->job.transfer.start_ms - begun_ms, 0,
               i <= flight->job.transfer.sending.refusals ? "the server refused it unprocessed" : "the kept connection was dead");
    begun_ms = flight->job.transfer.start_ms;
  }
  record_one(flight, last, clock_monotonic_ms() - begun_ms, status, message);
}

/* Stops the transfer that is under way, if there is one; it was an attempt, too. */
static void abort_attempt(struct flight *flight, const char *message) {
  int starts = flight->job.transfer.starts;
  if (flight->job.transfer.easy == NULL) return;
  loop_abort(flight->loop, &flight->job);
  flight->job.exchange.attempts += starts > 1 ? starts : 1;
  record_attempts(flight, starts > 1 ? starts - 1 : 0, 0, message);
}

/* What an earlier attempt came to is not what the call comes to. */
static void forget_answer(struct flight *flight) {
  struct call_reply *reply = &flight->call->reply;
  transfer_free(&flight->job.transfer);
  free(reply->message);
  free(reply->hint);
  reply->message = reply->hint = NULL;
  reply->status = 0;
  reply->retry_after_ms = -1;
}

/* Ends the call with an error; message and hint are copied, hint may be NULL. */
static void fail(struct flight *flight, enum call_error error, bool retryable, const char *message, const char *hint) {
  struct call_reply *reply = &flight->call->reply;
  reply->error = error;
  reply->retryable = retryable;
  reply->message = strdup(message);
  reply->hint = hint == NULL ? NULL : strdup(hint);
  finish(flight);
}

static void fail_without_memory(struct flight *flight) {
  forget_answer(flight);
  fail(flight, CALL_NO_MEMORY, false, "not enough memory", NULL);
}

/* What the call is waiting for, for the message of a time-out. */
static const char *current_wait(const struct flight *flight) {
  if (flight->waits_for_token) return "waiting for a token";
  if (flight->job.transfer.easy == NULL)
    return flight->turn.service != NULL ? "waiting for its turn" : "waiting to try again";
  if (transfer_has_body(&flight->job.transfer)) return "in the middle of the response's body";
  if (flight->job.transfer.headers_complete) return "after the response's headers";
  if (flight->job.transfer.reply_headers.length > 0) return "in the middle of the response's headers";
  return flight->job.transfer.starts > 0 ? "waiting for the response" : "connecting";
}

/* Whether the request changes nothing; the exchange's `safe` leaves out those whose redirects are not followed. */
static bool only_reads(const struct flight *flight) {
  const char *method = flight->call->request.method;
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void fail_at_deadline(struct flight *flight) {
  char message[MESSAGE_SIZE];
  bool is_total = flight->call->request.last_moment_ms <= clock_monotonic_ms();
  snprintf(message, sizeof message, "%s within %g s (%s)", is_total ? "not done" : streams(flight) ? "no progress" : "no answer",
           (double)(is_total ? flight->call->request.total_timeout_ms : flight->call->request.timeout_ms) / 1000, current_wait(flight));
  bool may_have_acted = !flight->job.exchange.repeatable && flight->job.transfer.easy != NULL && flight->job.transfer.starts > 0;
  flight->call->reply.for_token = flight->waits_for_token;
  if (!only_reads(flight) && flight->job.transfer.easy != NULL && flight->job.transfer.starts > 0)
    flight->call->reply.uncertain = true;
  abort_attempt(flight, message);
  forget_answer(flight);
  fail(flight, CALL_TIMEOUT, true, message, may_have_acted ? hint_may_have_acted : NULL);
}

/* A body streamed from a file may take as long as it moves. */
static bool streams(const struct flight *flight) {
  const struct call_body *body = &flight->call->request.body;
  if (body->kind == BODY_FILE || flight->call->request.is_streamed) return true;
  for (size_t i = 0; i < body->part_count; i++)
    if (body->parts[i].path != NULL) return true;
  return false;
}

/* Puts the deadline off to that of what has moved last. false: that has passed. */
static bool put_off_deadline(struct flight *flight) {
  int64_t until = flight->job.transfer.progress_ms + flight->call->request.timeout_ms;
  if (until > flight->call->request.last_moment_ms) until = flight->call->request.last_moment_ms;
  if (until <= clock_monotonic_ms() || !timers_set(&flight->loop->timers, &flight->deadline, until)) return false;
  flight->job.exchange.deadline_ms = until;
  return true;
}

static void on_deadline(void *owner) {
  struct flight *flight = owner;
  /* A slow reader is not the server's fault. */
  if (flight->job.transfer.is_paused) flight->job.transfer.progress_ms = clock_monotonic_ms();
  if (streams(flight) && flight->job.transfer.easy != NULL && put_off_deadline(flight)) return;
  fail_at_deadline(flight);
}

void flight_cancel(struct flight *flight) {
  abort_attempt(flight, "cancelled");
  forget_answer(flight);
  fail(flight, CALL_CANCELLED, false, message_cancelled, NULL);
}

/* ======================================================================== */
/* Sending                                                                  */
/* ======================================================================== */

static const char *current_url(const struct flight *flight) {
  return flight->redirected.length > 0 ? flight->redirected.data : flight->call->request.url.data;
}

/* The turn has come. */
static void send_now(void *owner) {
  struct flight *flight = owner;
  const struct call_request *request = &flight->call->request;
  if (flight->token != NULL && !token_is_usable(flight->token, clock_boot_ms())) {
    /* It grew old while others had their turn. */
    turn_end(&flight->turn);
    act(flight, EXCHANGE_GET_TOKEN);
    return;
  }
  loop_send(flight->loop, &flight->job,
            &(struct transfer_request){
                .method = request->method,
                .url = current_url(flight),
                .headers = request->headers,
                .header_count = request->header_count,
                .body = &request->body,
                .bearer_token = flight->token == NULL ? NULL : flight->token->value,
                .transport = request->transport,
                .max_response_bytes = request->max_response_bytes,
                .weight = request->weight,
                .repeatable = flight->job.exchange.repeatable,
                .download = request->download,
                .looks = request->looks,
                .is_streamed = request->is_streamed,
            });
}

/* Sends as soon as the service may be called. */
static void send_when_allowed(struct flight *flight) {
  struct service *service = service_of(flight->loop, current_url(flight));
  if (service == NULL) {
    fail_without_memory(flight);
    return;
  }
  int64_t held_until = service_held_until(service);
  if (held_until > clock_monotonic_ms()) {
    if (held_until >= flight->job.exchange.deadline_ms) {
      forget_answer(flight);
      flight->call->reply.retry_after_ms = held_until - clock_monotonic_ms();
      fail(flight, CALL_RATE_LIMIT, true, "the service takes no more requests before RateLimit-Reset, which lies beyond the timeout", NULL);
      return;
    }
    if (timers_set(&flight->loop->timers, &flight->job.pause, held_until)) return;
  }
  turn_take(&flight->turn, service);
}

/* A pause is over: one before another attempt, or one that the service asked of all. */
static void on_pause_over(void *owner) {
  struct flight *flight = owner;
  act(flight, exchange_resumed(&flight->job.exchange));
}

/* ======================================================================== */
/* What came of it                                                          */
/* ======================================================================== */

/* Takes over the Location of a 3xx if it stays within the origin. */
static bool resolve_redirect(struct flight *flight, int status) {
  if (status < 300 || status >= 400 || status == 304) return false;
  size_t length;
  const char *location = transfer_header(&flight->job.transfer, "Location", &length);
  if (location == NULL) return false;
  struct buffer url = BUFFER_EMPTY;
  if (!url_resolve(current_url(flight), location, length, &url) || !url_same_origin(url.data, flight->call->request.url.data)) {
    buffer_free(&url);
    return false;
  }
  buffer_free(&flight->redirected);
  flight->redirected = url;
  return true;
}

static void record_retry(struct flight *flight, double delay) {
  if (!flight->call->request.wants_events) return;
  engine_call_event(flight->call, &(struct call_event){.kind = EVENT_RETRY,
                                                       .attempt = flight->job.exchange.attempts,
                                                       .status = flight->call->reply.status,
                                                       .delay = delay,
                                                       .reason = flight->job.exchange.reason});
}

/* The exchange is over with what the last transfer came to. */
static void finish_as_answered(struct flight *flight) {
  struct call_reply *reply = &flight->call->reply;
  if (flight->job.exchange.finish == EXCHANGE_TOKEN_REFUSED) {
    reply->error = CALL_AUTH;
    if (flight->job.exchange.renewed) {
      reply->message = strdup("the token was refused, and so was a fresh one");
      reply->hint = strdup("a fresh token was refused, too: it is of another organization, tenant or service; check base_url, organization and "
                           "tenant");
    } else {
      reply->message = strdup("the access token was refused");
      reply->hint = strdup("access_token has expired or is of another organization: give a new one, or client_id and client_secret");
    }
  } else if (flight->job.exchange.reason == retry_may_have_acted && reply->hint == NULL) {
    reply->hint = strdup(hint_may_have_acted);
  } else if (flight->job.exchange.reason == retry_too_late && reply->retry_after_ms >= 0 && reply->hint == NULL) {
    char hint[MESSAGE_SIZE];
    snprintf(hint, sizeof hint, "not tried again, because Retry-After (%g s) lies beyond the timeout (%g s): come back then, or allow more time",
             (double)reply->retry_after_ms / 1000,
             (double)flight->call->request.timeout_ms / 1000);
    reply->hint = strdup(hint);
  }
  finish(flight);
}

/* Whether the attempt that has ended so may have done what it asked for: it was sent, and no answer says that it has not. Where a kept
   connection broke under it and it was sent again at once, the answer says so of the last time alone. */
static bool is_uncertain(const struct flight *flight, const struct transfer_end *end) {
  if (only_reads(flight)) return false;
  if (end->repetitions > end->refusals) return true;
  if (end->outcome == RETRY_UNSENT) return false;
  if (end->outcome != RETRY_RESPONSE) return flight->job.transfer.starts > 0;
  if (end->status == 503) return end->retry_after_ms < 0;
  return end->status == 408 || end->status == 500 || end->status == 502 || end->status == 504;
}

static void on_transfer_end(void *owner, const struct transfer_end *ended) {
  struct flight *flight = owner;
  struct call_reply *reply = &flight->call->reply;
  struct transfer_end corrected = *ended, *end = &corrected;
  struct download *download = flight->call->request.download;
  int64_t now = clock_monotonic_ms();
  if (flight->call->request.is_streamed) put_off_deadline(flight);
  if (download != NULL) {
    download_finish(download, &flight->job.transfer, end);
    /* Bytes have come: as good as a first attempt. */
    if (download_has_advanced(download)) flight->job.exchange.uncounted = flight->job.exchange.attempts;
  }
  progress_tell(flight);
  if (flight->turn.service != NULL && end->outcome == RETRY_RESPONSE)
    service_learn(flight->turn.service, &flight->job.transfer, now);
  reply->error = end->error;
  reply->status = end->status;
  reply->http_version = end->http_version;
  reply->retry_after_ms = end->retry_after_ms;
  reply->retryable = retry_may_succeed_later(end->outcome, end->status);
  if (is_uncertain(flight, end)) reply->uncertain = true; /* of any attempt */
  free(reply->message);
  free(reply->hint);
  reply->message = end->message == NULL ? NULL : strdup(end->message);
  reply->hint = end->hint == NULL ? NULL : strdup(end->hint);
  if (end->outcome != RETRY_RESPONSE) {
    /* Half a response is none. */
    buffer_free(&flight->job.transfer.reply_headers);
    buffer_free(&flight->job.transfer.reply_body);
  }

  struct exchange_answer answer = {.outcome = end->outcome,
                                   .status = end->status,
                                   .retry_after_ms = end->retry_after_ms,
                                   .repetitions = end->repetitions,
                                   .refusals = end->refusals,
                                   .within_origin = resolve_redirect(flight, end->status)};
  enum exchange_action action = exchange_answered(&flight->job.exchange, &answer, now, loop_random(flight->loop));
  record_attempts(flight, end->repetitions, end->status, end->message);
  if (action == EXCHANGE_PAUSE) record_retry(flight, (double)flight->job.exchange.delay_ms / 1000);
  if (action == EXCHANGE_RENEW_TOKEN) record_retry(flight, 0);
  turn_end(&flight->turn);
  act(flight, action);
}

/* ======================================================================== */
/* Tokens                                                                   */
/* ======================================================================== */

void flight_token_ready(struct flight *flight, struct token *token) {
  token_release(flight->token);
  flight->token = token_retain(token);
  act(flight, exchange_token_ready(&flight->job.exchange));
}

void flight_token_failed(struct flight *flight, const struct token_failure *failure) {
  struct call_reply *reply = &flight->call->reply;
  forget_answer(flight);
  reply->code = failure->code == NULL ? NULL : strdup(failure->code);
  reply->status = failure->status;
  reply->retry_after_ms = failure->retry_after_ms;
  reply->for_token = true;
  fail(flight, failure->error, failure->retryable, failure->message, failure->hint);
}

/* ======================================================================== */

static void act(struct flight *flight, enum exchange_action action) {
  switch (action) {
    case EXCHANGE_RENEW_TOKEN:
      token_cache_refuse(flight);
      token_cache_request(flight->loop, flight);
      break;
    case EXCHANGE_GET_TOKEN:
      token_cache_request(flight->loop, flight);
      break;
    case EXCHANGE_SEND:
    case EXCHANGE_FOLLOW:
      send_when_allowed(flight);
      break;
    case EXCHANGE_PAUSE:
      if (!timers_set(&flight->loop->timers, &flight->job.pause, flight->job.exchange.resume_at)) fail_without_memory(flight);
      break;
    case EXCHANGE_FINISH:
      finish_as_answered(flight);
      break;
  }
}

static bool is_repeatable(const struct call_request *request) {
  return request->idempotent || (strcmp(request->method, "POST") != 0 && strcmp(request->method, "PATCH") != 0);
}

void flight_start(struct loop *loop, struct call *call, bool cancelled) {
  const struct call_request *request = &call->request;
  struct flight *flight = cancelled ? NULL : calloc(1, sizeof *flight);
  if (flight == NULL) {
    call->reply.error = cancelled ? CALL_CANCELLED : CALL_NO_MEMORY;
    call->reply.message = strdup(cancelled ? message_cancelled : "not enough memory");
    engine_call_done(call);
    return;
  }
  int64_t now = clock_monotonic_ms();
  flight->call = call;
  flight->loop = loop;
  flight->submitted_ms = now;
  flight->job.owner = flight->turn.owner = flight->deadline.owner = flight->job.pause.owner = flight;
  flight->job.ended = on_transfer_end;
  flight->job.pause.expired = on_pause_over;
  flight->deadline.expired = on_deadline;
  flight->turn.begin = send_now;
  flight->job.exchange = (struct exchange){
      .authorized = request->token_source != NULL,
      .renewable = request->token_source != NULL && token_source_kind(request->token_source) != TOKEN_FIXED,
      .token_only = request->token_only,
      .repeatable = is_repeatable(request),
      .safe = !request->is_presigned && (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0),
      .repeats_500 = request->is_presigned && (strcmp(request->method, "GET") == 0 || strcmp(request->method, "PUT") == 0),
      .max_attempts = request->max_attempts,
      .deadline_ms = request->timeout_ms < request->last_moment_ms - now ? now + request->timeout_ms : request->last_moment_ms,
  };
  flight->next = loop->flights;
  if (flight->next != NULL) flight->next->previous = flight;
  loop->flights = flight;
  loop->under_way++;
  call->flight = flight;
  if (!timers_set(&loop->timers, &flight->deadline, flight->job.exchange.deadline_ms)) {
    fail_without_memory(flight);
    return;
  }
  progress_begin(flight);
  act(flight, exchange_start(&flight->job.exchange));
}

void flights_free(struct loop *loop) {
  while (loop->flights != NULL) {
    struct flight *first = loop->flights;
    struct call *call = first->call;
    call->flight = NULL;
    loop->flights = first->next; /* as free_flight does: clang-tidy does not know that it is the same loop */
    free_flight(first);
    call_release(call);
  }
}
