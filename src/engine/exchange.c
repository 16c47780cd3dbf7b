#include "exchange.h"

/* A request goes out, after a token has been asked for where one is needed: it may have expired during a pause. */
static enum exchange_action send_again(const struct exchange *exchange) {
  return exchange->authorized ? EXCHANGE_GET_TOKEN : EXCHANGE_SEND;
}

static enum exchange_action finish(struct exchange *exchange, enum exchange_finish how) {
  exchange->finish = how;
  return EXCHANGE_FINISH;
}

enum exchange_action exchange_start(struct exchange *exchange) {
  return send_again(exchange);
}

enum exchange_action exchange_token_ready(struct exchange *exchange) {
  if (exchange->token_only) return finish(exchange, EXCHANGE_AS_ANSWERED);
  return EXCHANGE_SEND;
}

enum exchange_action exchange_resumed(struct exchange *exchange) {
  return send_again(exchange);
}

enum exchange_action exchange_answered(struct exchange *exchange, const struct exchange_answer *answer, int64_t now_ms,
                                       double random) {
  exchange->attempts += 1 + answer->repetitions;
  exchange->uncounted += answer->refusals;
  exchange->reason = NULL;
  bool responded = answer->outcome == RETRY_RESPONSE;
  if (responded && answer->status == 401 && exchange->authorized) {
    if (exchange->renewed || !exchange->renewable) return finish(exchange, EXCHANGE_TOKEN_REFUSED);
    exchange->renewed = true;
    exchange->uncounted++; /* the token was at fault, not the service */
    exchange->reason = "the token was refused";
    return EXCHANGE_RENEW_TOKEN;
  }
  if (responded && answer->status >= 300 && answer->status < 400) {
    if (!exchange->safe || !answer->within_origin || exchange->redirects == EXCHANGE_MOST_REDIRECTS)
      return finish(exchange, EXCHANGE_AS_ANSWERED);
    exchange->redirects++;
    exchange->uncounted++;
    return EXCHANGE_FOLLOW;
  }
  if (responded && answer->status < 300) return finish(exchange, EXCHANGE_AS_ANSWERED);

  struct retry_decision decision = retry_decide(&(struct retry_attempt){
      .outcome = answer->outcome,
      .status = answer->status,
      .safe = exchange->safe || exchange->repeats_500,
      .repeatable = exchange->repeatable,
      .attempts = exchange->attempts - exchange->uncounted,
      .max_attempts = exchange->max_attempts,
      .retry_after_ms = answer->retry_after_ms,
      .now_ms = now_ms,
      .deadline_ms = exchange->deadline_ms,
      .random = random,
  });
  exchange->reason = decision.reason;
  if (!decision.again) return finish(exchange, EXCHANGE_AS_ANSWERED);
  exchange->delay_ms = decision.delay_ms;
  exchange->resume_at = now_ms + decision.delay_ms;
  return EXCHANGE_PAUSE;
}
