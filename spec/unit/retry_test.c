/* Whether and when a call is sent again: API.md's "Retries". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/retry.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NEVER INT64_MAX /* a deadline that is no matter */

/* ======================================================================== */
/* Whether                                                                  */
/* ======================================================================== */

/* When a response of this status is asked for again: none that is not here ever is. */
enum rule { SAFE, REPEATABLE, REPEATABLE_OR_RETRY_AFTER, ALWAYS };
static const struct {
  int status;
  enum rule rule;
} retried[] = {{408, REPEATABLE}, {429, ALWAYS}, {500, SAFE}, {502, REPEATABLE}, {503, REPEATABLE_OR_RETRY_AFTER}, {504, REPEATABLE}};

static bool is_retried(int status, bool safe, bool repeatable, int64_t retry_after_ms) {
  for (size_t i = 0; i < COUNT(retried); i++)
    if (retried[i].status == status && retried[i].rule == SAFE) return safe;
    else if (retried[i].status == status)
      return repeatable || retried[i].rule == ALWAYS || (retried[i].rule == REPEATABLE_OR_RETRY_AFTER && retry_after_ms >= 0);
  return false;
}

static void every_status_is_decided_by_method_and_attempts(void **state) {
  (void)state;
  static const int64_t asked[] = {-1, 0, 2000};
  for (int status = 100; status < 600; status++)
    for (int method = 0; method <= 2; method++) /* POST, PUT, GET */
      for (size_t i = 0; i < COUNT(asked); i++)
        for (int max_attempts = 1; max_attempts <= 4; max_attempts++)
          for (int attempts = 1; attempts <= 5; attempts++) {
            bool safe = method == 2, repeatable = method >= 1;
            struct retry_decision decision = retry_decide(&(struct retry_attempt){.outcome = RETRY_RESPONSE,
                                                                                  .status = status,
                                                                                  .safe = safe,
                                                                                  .repeatable = repeatable,
                                                                                  .attempts = attempts,
                                                                                  .max_attempts = max_attempts,
                                                                                  .retry_after_ms = asked[i],
                                                                                  .deadline_ms = NEVER});
            bool again = attempts < max_attempts && is_retried(status, safe, repeatable, asked[i]);
            if (decision.again != again)
              fail_msg("status %d, method %d, Retry-After %d, attempt %d of %d", status, method, (int)asked[i], attempts,
                       max_attempts);
            assert_non_null(decision.reason);
            if (again && asked[i] >= 0) assert_int_equal(decision.delay_ms, asked[i]);
          }
}

static void broken_connections_are_decided_by_what_was_sent(void **state) {
  (void)state;
  static const struct {
    enum retry_outcome outcome;
    bool repeatable, again;
  } rows[] = {
      {RETRY_UNSENT, true, true},  {RETRY_UNSENT, false, true},     {RETRY_BROKEN, true, true},
      {RETRY_BROKEN, false, false}, {RETRY_PERMANENT, true, false}, {RETRY_PERMANENT, false, false},
  };
  for (size_t i = 0; i < COUNT(rows); i++)
    for (int attempts = 1; attempts <= 3; attempts++) {
      struct retry_attempt attempt = {.outcome = rows[i].outcome,
                                      .repeatable = rows[i].repeatable,
                                      .attempts = attempts,
                                      .max_attempts = 3,
                                      .retry_after_ms = -1,
                                      .deadline_ms = NEVER};
      assert_int_equal(retry_decide(&attempt).again, rows[i].again && attempts < 3);
      assert_non_null(retry_decide(&attempt).reason);
      /* a status of an earlier response is no matter */
      attempt.status = 429;
      assert_int_equal(retry_decide(&attempt).again, rows[i].again && attempts < 3);
    }
}

static void the_reason_is_told(void **state) {
  (void)state;
  static const struct {
    struct retry_attempt attempt;
    const char *reason;
  } rows[] = {
      {{.status = 503, .repeatable = true, .retry_after_ms = -1}, "the service is busy"},
      {{.status = 503, .repeatable = true, .retry_after_ms = 5}, "Retry-After"},
      {{.status = 500, .safe = true, .repeatable = true, .retry_after_ms = -1}, "the service failed"},
      {{.status = 500, .repeatable = true, .retry_after_ms = -1}, "final"},
      {{.outcome = RETRY_UNSENT, .retry_after_ms = -1}, "the connection failed"},
      {{.outcome = RETRY_BROKEN, .repeatable = true, .retry_after_ms = -1}, "the connection broke"},
      {{.status = 502, .retry_after_ms = -1}, "may have acted"},
      {{.outcome = RETRY_BROKEN, .retry_after_ms = -1}, "may have acted"},
      {{.status = 404, .repeatable = true, .retry_after_ms = 5}, "final"},
      {{.outcome = RETRY_PERMANENT, .repeatable = true, .retry_after_ms = -1}, "cannot help"},
      {{.status = 429, .attempts = 4, .retry_after_ms = 5}, "max_attempts"},
      {{.status = 429, .retry_after_ms = 100001}, "after the timeout"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct retry_attempt attempt = rows[i].attempt;
    if (attempt.attempts == 0) attempt.attempts = 1;
    attempt.max_attempts = 4;
    attempt.deadline_ms = 100000;
    const char *reason = retry_decide(&attempt).reason;
    if (strstr(reason, rows[i].reason) == NULL) fail_msg("%s: %s", rows[i].reason, reason);
  }
}

static void what_may_succeed_later_is_retryable(void **state) {
  (void)state;
  for (int status = 100; status < 600; status++) {
    bool expected = status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
    if (retry_may_succeed_later(RETRY_RESPONSE, status) != expected) fail_msg("status %d", status);
  }
  assert_true(retry_may_succeed_later(RETRY_UNSENT, 0));
  assert_true(retry_may_succeed_later(RETRY_BROKEN, 0));
  assert_false(retry_may_succeed_later(RETRY_PERMANENT, 0));
  assert_false(retry_may_succeed_later(RETRY_PERMANENT, 503));
}

/* ======================================================================== */
/* When                                                                     */
/* ======================================================================== */

static int64_t delay_of(int attempts, double random) {
  struct retry_decision decision = retry_decide(&(struct retry_attempt){.outcome = RETRY_BROKEN,
                                                                        .repeatable = true,
                                                                        .attempts = attempts,
                                                                        .max_attempts = INT32_MAX,
                                                                        .retry_after_ms = -1,
                                                                        .deadline_ms = NEVER,
                                                                        .random = random});
  assert_true(decision.again);
  return decision.delay_ms;
}

/* cmocka's own has another name from version 2 on. */
static void assert_between(int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most) fail_msg("%lld is not in %lld … %lld", (long long)value, (long long)least, (long long)most);
}

static void back_off_doubles_up_to_a_limit_less_a_random_half(void **state) {
  (void)state;
  static const int64_t longest[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
  for (int attempts = 1; attempts <= (int)COUNT(longest); attempts++) {
    int64_t most = longest[attempts - 1];
    assert_int_equal(delay_of(attempts, 0), most);
    assert_int_equal(delay_of(attempts, 0.5), most - most / 4);
    assert_between(delay_of(attempts, 0x1.fffffffffffffp-1), most / 2, most / 2 + 1);
    for (int i = 0; i < 100; i++) assert_between(delay_of(attempts, i / 100.0), most / 2, most);
  }
  assert_int_equal(delay_of(1000000, 0), RETRY_LONGEST_DELAY_MS);
  assert_int_equal(delay_of(INT32_MAX - 1, 0), RETRY_LONGEST_DELAY_MS);
}

static void no_wait_ends_at_or_after_the_deadline(void **state) {
  (void)state;
  static const struct {
    int64_t now_ms, deadline_ms, retry_after_ms;
    bool again;
  } rows[] = {
      {1000, 3000, 1999, true},   {1000, 3000, 2000, false},
      {1000, 3000, 2001, false},  {1000, 1501, -1, true},
      {1000, 1500, -1, false},    {1000, 1000, 0, false},
      {1000, 1001, 0, true},      {1000, 999, 0, false},
      {1000, 0, 0, false},        {1000, 1000000, INT64_MAX / 4, false},
      {0, INT64_MAX, INT64_MAX, false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct retry_decision decision = retry_decide(&(struct retry_attempt){.outcome = RETRY_RESPONSE,
                                                                          .status = 503,
                                                                          .repeatable = true,
                                                                          .attempts = 1,
                                                                          .max_attempts = 4,
                                                                          .retry_after_ms = rows[i].retry_after_ms,
                                                                          .now_ms = rows[i].now_ms,
                                                                          .deadline_ms = rows[i].deadline_ms});
    if (decision.again != rows[i].again) fail_msg("row %d", (int)i);
  }
}

/* ======================================================================== */
/* Header fields                                                            */
/* ======================================================================== */

/* Calls a parser with bytes that nothing follows in memory, so that a byte read too many is found out. */
static int64_t parse_exactly(const char *value, int64_t now) {
  size_t length = strlen(value);
  char *exact = malloc(length == 0 ? 1 : length);
  assert_non_null(exact);
  memcpy(exact, value, length);
  int64_t ms = now < 0 ? retry_seconds_parse(exact, length) : retry_after_parse(exact, length, now);
  free(exact);
  return ms;
}

static void seconds_are_read(void **state) {
  (void)state;
  static const struct {
    const char *value;
    int64_t ms;
  } rows[] = {
      {"0", 0},           {"1", 1000},         {"50", 50000},      {"0050", 50000},    {"50.5", 50500},      {"0.25", 250},
      {"1.9999", 1999},   {"1.00000000009", 1000}, {"50;w=300", 50000}, {"50, 20", 50000}, {"50 ;w=300", 50000}, {"31536000", 31536000000},
      {"", -1},           {"-1", -1},          {"+1", -1},         {".5", -1},         {"x", -1},            {"5x", -1},
      {"1e3", -1},        {"0x10", -1},        {" 5", -1},         {";w=300", -1},     {"1.2.3", -1},        {"1:30", -1},
      {"nan", -1},        {"infinity", -1},    {"\xD9\xA3", -1},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t ms = parse_exactly(rows[i].value, -1);
    if (ms != rows[i].ms) fail_msg("%s: %lld", rows[i].value, (long long)ms);
  }
}

static void huge_seconds_are_a_long_time_and_never_wrap(void **state) {
  (void)state;
  static const char *const values[] = {
      "9223372036854775",      "9223372036854775807",  "9223372036854775808",
      "18446744073709551615",  "18446744073709551616", "99999999999999999999999999999999999999999999999999999999999999999999999999",
      "99999999999999999999.99999999999999999999", "0000000000000000000000000000000000000000000000000000000000000009999999999999999",
  };
  const int64_t century_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_true(parse_exactly(values[i], -1) > century_ms);
    assert_true(parse_exactly(values[i], 1764000000) > century_ms);
    assert_true(parse_exactly(values[i], -1) < INT64_MAX / 2); /* room for the clock */
  }
}

static void retry_after_is_seconds_or_any_http_date(void **state) {
  (void)state;
  const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
  static const struct {
    const char *value;
    int64_t ms;
  } rows[] = {
      {"0", 0},
      {"120", 120000},
      /* the three forms of RFC 9110, section 5.6.7 */
      {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
      {"Sun Nov  6 08:49:37 1994", 0},
      {"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
      {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
      {"Sun Nov  6 09:49:37 1994", 3600000},
      {"Sun Nov 13 08:49:37 1994", 7 * 86400000},
      {"Tue, 29 Feb 2000 08:49:37 GMT", INT64_C(1941) * 86400000},
      /* the past */
      {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
      {"Sunday, 06-Nov-93 08:49:37 GMT", 0},
      {"Thu Jan  1 00:00:00 1970", 0},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Wed, 31 Dec 1969 23:59:59 GMT", 0},
      {"Fri, 01 Jan 1960 00:00:00 GMT", 0},
      /* the far future */
      {"Fri, 31 Dec 9999 23:59:59 GMT", (INT64_C(253402300799) - 784111777) * 1000},
      /* neither */
      {"", -1},
      {"-1", -1},
      {"-120", -1},
      {"+120", -1},
      {"soon", -1},
      {"Sunday", -1},
      {"1994-11-06T08:49:37Z", -1},
      {"Sun, 06 Nov 1994 25:49:37 GMT", -1},
      {"Sun, 06 Nov", -1},
      {"08:49:37", -1},
      {"120s", -1},
      {"1e3", -1},
      {"GMT", -1},
      {"Sun, 06 Nov 1994 08:49:37 GMT and a lot of other text that no date was ever seen with before", -1},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t ms = parse_exactly(rows[i].value, now);
    if (ms != rows[i].ms) fail_msg("%s: %lld", rows[i].value, (long long)ms);
  }
  assert_int_equal(retry_after_parse("12\0", 3, now), -1);
  assert_int_equal(retry_after_parse("Sun, 06 Nov 1994 08:49:38 GMT\0", 30, now), -1);
}

static void a_date_is_read_alike_in_every_time_zone(void **state) {
  (void)state;
  static const char *const zones[] = {"UTC", "America/New_York", "Asia/Kathmandu", "XYZ-14"};
  for (size_t i = 0; i < COUNT(zones); i++) {
    setenv("TZ", zones[i], 1);
    assert_int_equal(parse_exactly("Sun Nov  6 08:49:38 1994", 784111777), 1000);
    assert_int_equal(parse_exactly("Sun, 06 Nov 1994 08:49:38 GMT", 784111777), 1000);
  }
  unsetenv("TZ");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_is_decided_by_method_and_attempts),
      cmocka_unit_test(broken_connections_are_decided_by_what_was_sent),
      cmocka_unit_test(the_reason_is_told),
      cmocka_unit_test(what_may_succeed_later_is_retryable),
      cmocka_unit_test(back_off_doubles_up_to_a_limit_less_a_random_half),
      cmocka_unit_test(no_wait_ends_at_or_after_the_deadline),
      cmocka_unit_test(seconds_are_read),
      cmocka_unit_test(huge_seconds_are_a_long_time_and_never_wrap),
      cmocka_unit_test(retry_after_is_seconds_or_any_http_date),
      cmocka_unit_test(a_date_is_read_alike_in_every_time_zone),
  };
  return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
