/* A call's life, told event by event: no clock, no socket. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/engine/exchange.h"

static struct exchange new_exchange(void) {
  return (struct exchange){.authorized = true, .renewable = true, .repeatable = true, .safe = true, .max_attempts = 4, .deadline_ms = 100000};
}

static enum exchange_action response(struct exchange *exchange, int status) {
  return exchange_answered(exchange, &(struct exchange_answer){.outcome = RETRY_RESPONSE, .status = status, .retry_after_ms = -1}, 0, 0.5);
}

static void start_and_send(struct exchange *exchange) {
  assert_int_equal(exchange_start(exchange), EXCHANGE_GET_TOKEN);
  assert_int_equal(exchange_token_ready(exchange), EXCHANGE_SEND);
}

static void a_good_answer_ends_it(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 200), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_AS_ANSWERED);
  assert_int_equal(exchange.attempts, 1);
}

static void without_authorization_no_token_is_asked_for(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.authorized = false;
  assert_int_equal(exchange_start(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 401), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_AS_ANSWERED);
}

static void a_call_for_the_token_alone_sends_nothing(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.token_only = true;
  assert_int_equal(exchange_start(&exchange), EXCHANGE_GET_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_FINISH);
  assert_int_equal(exchange.attempts, 0);
}

static void a_first_401_renews_the_token_and_a_second_ends_it(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 401), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_TOKEN_REFUSED);
  assert_int_equal(exchange.attempts, 2);
}

static void a_token_that_cannot_be_renewed_is_refused_at_once(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.renewable = false;
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_TOKEN_REFUSED);
}

static void a_401_uses_up_none_of_the_attempts(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.max_attempts = 1;
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 503), EXCHANGE_FINISH);
}

static void a_401_after_a_retry_still_renews(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 503), EXCHANGE_PAUSE);
  assert_int_equal(exchange_resumed(&exchange), EXCHANGE_GET_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
}

static void a_busy_service_is_asked_again_up_to_max_attempts(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  for (int attempt = 1; attempt < 4; attempt++) {
    assert_int_equal(response(&exchange, 502), EXCHANGE_PAUSE);
    assert_int_equal(exchange.attempts, attempt);
    assert_true(exchange.resume_at > 0);
    exchange_resumed(&exchange);
    exchange_token_ready(&exchange);
  }
  assert_int_equal(response(&exchange, 502), EXCHANGE_FINISH);
  assert_int_equal(exchange.attempts, 4);
}

static void retry_after_decides_when(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer busy = {.outcome = RETRY_RESPONSE, .status = 429, .retry_after_ms = 7000};
  assert_int_equal(exchange_answered(&exchange, &busy, 1000, 0.5), EXCHANGE_PAUSE);
  assert_int_equal(exchange.resume_at, 8000);
}

static void a_pause_past_the_deadline_is_not_begun(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer busy = {.outcome = RETRY_RESPONSE, .status = 429, .retry_after_ms = 100000};
  assert_int_equal(exchange_answered(&exchange, &busy, 0, 0.5), EXCHANGE_FINISH);
  assert_non_null(exchange.reason);
}

static void what_cannot_be_repeated_is_not(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.repeatable = false;
  start_and_send(&exchange);
  struct exchange_answer broken = {.outcome = RETRY_BROKEN, .retry_after_ms = -1};
  assert_int_equal(exchange_answered(&exchange, &broken, 0, 0.5), EXCHANGE_FINISH);

  exchange = new_exchange();
  exchange.repeatable = false;
  start_and_send(&exchange);
  struct exchange_answer unsent = {.outcome = RETRY_UNSENT, .retry_after_ms = -1};
  assert_int_equal(exchange_answered(&exchange, &unsent, 0, 0.5), EXCHANGE_PAUSE);
}

static void redirects_are_followed_within_the_origin_only(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 302, .retry_after_ms = -1, .within_origin = true};
  struct exchange_answer beyond = {.outcome = RETRY_RESPONSE, .status = 302, .retry_after_ms = -1, .within_origin = false};
  assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FOLLOW);
  assert_int_equal(exchange_answered(&exchange, &beyond, 0, 0.5), EXCHANGE_FINISH);
}

static void redirects_that_go_round_end(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 307, .retry_after_ms = -1, .within_origin = true};
  for (int i = 0; i < EXCHANGE_MOST_REDIRECTS; i++)
    assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FOLLOW);
  assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FINISH);
}

static void a_post_is_never_redirected(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.safe = false;
  start_and_send(&exchange);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 307, .retry_after_ms = -1, .within_origin = true};
  assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FINISH);
}

/* What each status leads to when it is the first answer. */
static void every_first_answer_has_its_action(void **state) {
  (void)state;
  for (int status = 200; status < 600; status++)
    for (int rules = 0; rules < 32; rules++) {
      bool authorized = rules & 1, renewable = rules & 2, repeatable = rules & 4, safe = rules & 8, within_origin = rules & 16;
      struct exchange exchange = new_exchange();
      exchange.authorized = authorized;
      exchange.renewable = renewable;
      exchange.repeatable = repeatable;
      exchange.safe = safe;
      exchange_start(&exchange);
      struct exchange_answer answer = {
          .outcome = RETRY_RESPONSE, .status = status, .retry_after_ms = -1, .within_origin = within_origin};
      enum exchange_action expected = EXCHANGE_FINISH;
      if (status == 401 && authorized && renewable) expected = EXCHANGE_RENEW_TOKEN;
      if (status >= 300 && status < 400 && safe && within_origin) expected = EXCHANGE_FOLLOW;
      bool busy = status == 408 || status == 502 || status == 503 || status == 504;
      if (status == 429 || (busy && repeatable) || (status == 500 && safe)) expected = EXCHANGE_PAUSE;
      enum exchange_action action = exchange_answered(&exchange, &answer, 0, 0.5);
      if (action != expected) fail_msg("%d with rules %d: action %d", status, rules, (int)action);
      assert_int_equal(exchange.attempts, 1);
      if (action == EXCHANGE_FINISH)
        assert_int_equal(exchange.finish, status == 401 && authorized ? EXCHANGE_TOKEN_REFUSED : EXCHANGE_AS_ANSWERED);
    }
}

static void broken_connections_are_tried_again_where_that_is_safe(void **state) {
  (void)state;
  static const struct {
    enum retry_outcome outcome;
    bool repeatable;
    enum exchange_action action;
  } rows[] = {
      {RETRY_UNSENT, true, EXCHANGE_PAUSE},  {RETRY_UNSENT, false, EXCHANGE_PAUSE},     {RETRY_BROKEN, true, EXCHANGE_PAUSE},
      {RETRY_BROKEN, false, EXCHANGE_FINISH}, {RETRY_PERMANENT, true, EXCHANGE_FINISH}, {RETRY_PERMANENT, false, EXCHANGE_FINISH},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct exchange exchange = new_exchange();
    exchange.repeatable = rows[i].repeatable;
    start_and_send(&exchange);
    /* the status is an earlier response's */
    struct exchange_answer answer = {.outcome = rows[i].outcome, .status = 401, .retry_after_ms = -1};
    assert_int_equal(exchange_answered(&exchange, &answer, 0, 0.5), rows[i].action);
    assert_int_equal(exchange.finish, EXCHANGE_AS_ANSWERED);
    assert_non_null(exchange.reason);
  }
}

static void after_a_pause_a_token_is_asked_for_only_where_one_is_sent(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.authorized = false;
  assert_int_equal(exchange_start(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 503), EXCHANGE_PAUSE);
  assert_int_equal(exchange_resumed(&exchange), EXCHANGE_SEND);
}

static void the_token_is_renewed_once_in_a_call(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  assert_string_equal(exchange.reason, "the token was refused");
  exchange_token_ready(&exchange);
  assert_int_equal(response(&exchange, 503), EXCHANGE_PAUSE);
  exchange_resumed(&exchange);
  exchange_token_ready(&exchange);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 302, .retry_after_ms = -1, .within_origin = true};
  assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FOLLOW);
  assert_null(exchange.reason);
  assert_int_equal(response(&exchange, 401), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_TOKEN_REFUSED);
  assert_int_equal(exchange.attempts, 4);
}

/* What a storage's address is called with: no redirect is followed, and a PUT is sent again after a 500. */
static void an_access_objects_address_has_rules_of_its_own(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.authorized = exchange.safe = false;
  exchange.repeats_500 = true;
  assert_int_equal(exchange_start(&exchange), EXCHANGE_SEND);
  struct exchange_answer failed = {.outcome = RETRY_RESPONSE, .status = 500, .retry_after_ms = -1};
  assert_int_equal(exchange_answered(&exchange, &failed, 0, 0.5), EXCHANGE_PAUSE);
  assert_int_equal(exchange_resumed(&exchange), EXCHANGE_SEND);
  struct exchange_answer elsewhere = {.outcome = RETRY_RESPONSE, .status = 302, .within_origin = true, .retry_after_ms = -1};
  assert_int_equal(exchange_answered(&exchange, &elsewhere, 0, 0.5), EXCHANGE_FINISH);
}

static void a_post_is_sent_again_after_a_401(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.repeatable = exchange.safe = false;
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 201), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_AS_ANSWERED);
}

static void redirects_use_up_none_of_the_attempts(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.max_attempts = 2;
  start_and_send(&exchange);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 308, .retry_after_ms = -1, .within_origin = true};
  for (int i = 0; i < 3; i++) assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FOLLOW);
  assert_int_equal(response(&exchange, 503), EXCHANGE_PAUSE);
  assert_int_equal(exchange_resumed(&exchange), EXCHANGE_GET_TOKEN);
  assert_int_equal(exchange_token_ready(&exchange), EXCHANGE_SEND);
  assert_int_equal(response(&exchange, 503), EXCHANGE_FINISH);
  assert_int_equal(exchange.attempts, 5);
}

static void what_the_transport_repeated_counts(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer busy = {.outcome = RETRY_RESPONSE, .status = 503, .retry_after_ms = -1, .repetitions = 1};
  assert_int_equal(exchange_answered(&exchange, &busy, 0, 0.5), EXCHANGE_PAUSE);
  assert_int_equal(exchange.attempts, 2);
  assert_int_equal(exchange_answered(&exchange, &busy, 0, 0.5), EXCHANGE_FINISH);
  assert_int_equal(exchange.attempts, 4);
}

static void what_the_server_refused_unprocessed_is_no_attempt_of_max_attempts(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer busy = {.outcome = RETRY_RESPONSE, .status = 503, .retry_after_ms = -1, .repetitions = 9, .refusals = 9};
  for (int i = 1; i < exchange.max_attempts; i++)
    assert_int_equal(exchange_answered(&exchange, &busy, 0, 0.5), EXCHANGE_PAUSE);
  assert_int_equal(exchange_answered(&exchange, &busy, 0, 0.5), EXCHANGE_FINISH);
  assert_int_equal(exchange.attempts, 10 * exchange.max_attempts);
}

static void pauses_grow_with_what_failed_only(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 302, .retry_after_ms = -1, .within_origin = true};
  struct exchange_answer busy = {.outcome = RETRY_RESPONSE, .status = 502, .retry_after_ms = -1};
  start_and_send(&exchange);
  exchange_answered(&exchange, &within, 0, 0);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  for (int64_t delay = RETRY_FIRST_DELAY_MS, now = 70; delay <= 4 * RETRY_FIRST_DELAY_MS; delay *= 2, now += 1000) {
    assert_int_equal(exchange_answered(&exchange, &busy, now, 0), EXCHANGE_PAUSE);
    assert_int_equal(exchange.delay_ms, delay);
    assert_int_equal(exchange.resume_at, now + delay);
  }
}

static void the_largest_max_attempts_is_one(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  exchange.max_attempts = INT_MAX;
  start_and_send(&exchange);
  assert_int_equal(response(&exchange, 401), EXCHANGE_RENEW_TOKEN);
  struct exchange_answer within = {.outcome = RETRY_RESPONSE, .status = 302, .retry_after_ms = -1, .within_origin = true};
  assert_int_equal(exchange_answered(&exchange, &within, 0, 0.5), EXCHANGE_FOLLOW);
  assert_int_equal(response(&exchange, 503), EXCHANGE_PAUSE);
}

static void no_retry_is_begun_when_the_deadline_has_passed(void **state) {
  (void)state;
  struct exchange exchange = new_exchange();
  start_and_send(&exchange);
  struct exchange_answer at_once = {.outcome = RETRY_RESPONSE, .status = 429, .retry_after_ms = 0};
  assert_int_equal(exchange_answered(&exchange, &at_once, exchange.deadline_ms - 1, 0), EXCHANGE_PAUSE);
  assert_int_equal(exchange_answered(&exchange, &at_once, exchange.deadline_ms, 0), EXCHANGE_FINISH);
  assert_int_equal(exchange.finish, EXCHANGE_AS_ANSWERED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_answer_ends_it),
      cmocka_unit_test(without_authorization_no_token_is_asked_for),
      cmocka_unit_test(a_call_for_the_token_alone_sends_nothing),
      cmocka_unit_test(a_first_401_renews_the_token_and_a_second_ends_it),
      cmocka_unit_test(a_token_that_cannot_be_renewed_is_refused_at_once),
      cmocka_unit_test(a_401_uses_up_none_of_the_attempts),
      cmocka_unit_test(a_401_after_a_retry_still_renews),
      cmocka_unit_test(a_busy_service_is_asked_again_up_to_max_attempts),
      cmocka_unit_test(retry_after_decides_when),
      cmocka_unit_test(a_pause_past_the_deadline_is_not_begun),
      cmocka_unit_test(what_cannot_be_repeated_is_not),
      cmocka_unit_test(redirects_are_followed_within_the_origin_only),
      cmocka_unit_test(redirects_that_go_round_end),
      cmocka_unit_test(a_post_is_never_redirected),
      cmocka_unit_test(every_first_answer_has_its_action),
      cmocka_unit_test(broken_connections_are_tried_again_where_that_is_safe),
      cmocka_unit_test(after_a_pause_a_token_is_asked_for_only_where_one_is_sent),
      cmocka_unit_test(the_token_is_renewed_once_in_a_call),
      cmocka_unit_test(an_access_objects_address_has_rules_of_its_own),
      cmocka_unit_test(a_post_is_sent_again_after_a_401),
      cmocka_unit_test(redirects_use_up_none_of_the_attempts),
      cmocka_unit_test(what_the_transport_repeated_counts),
      cmocka_unit_test(what_the_server_refused_unprocessed_is_no_attempt_of_max_attempts),
      cmocka_unit_test(pauses_grow_with_what_failed_only),
      cmocka_unit_test(the_largest_max_attempts_is_one),
      cmocka_unit_test(no_retry_is_begun_when_the_deadline_has_passed),
  };
  return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
