/* When a service is left alone, and how many requests it has at once: no loop turns, no socket is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/clock.h"
#include "../../src/engine/origin.h"
#include "../../src/engine/pace.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int free_services(void **state) {
  services_free(*state);
  origins_free(*state);
  return 0;
}

static int new_loop(void **state) {
  static struct loop loop;
  loop = (struct loop){0};
  origin_learn(origin_of(&loop, "https://h/"), 20);
  *state = &loop;
  return 0;
}

static void a_service_is_an_origin_and_a_segment_that_ends_in_an_underscore(void **state) {
  struct loop *loop = *state;
  static const struct {
    const char *one, *other;
    bool same;
  } rows[] = {
      {"https://h/acme/T/orchestrator_/odata/Jobs", "https://h/acme/T/orchestrator_/odata/Sets?x=y", true},
      {"https://h/acme/T/orchestrator_/odata/Jobs", "https://h/acme/T/orchestrator_", true},
      {"https://h/acme/T/orchestrator_/x", "https://h/acme/T/testmanager_/x", false},
      {"https://h/acme/T/orchestrator_/x", "https://h/acme/U/orchestrator_/x", false},
      {"https://h/acme/T/orchestrator_/x", "https://i/acme/T/orchestrator_/x", false},
      {"https://h/acme/identity_/x", "https://h/acme/portal_/x", false},
      {"https://h/acme/identity_?x", "https://h/acme/identity_/y", true},
      /* no such segment: the origin */
      {"https://h/odata/Jobs", "https://h/api/x", true},
      {"https://h", "https://h/x", true},
      {"https://h?x=/y_/z", "https://h", true},
      {"https://h/x?y=/orchestrator_/", "https://h/x", true},
      {"https://h/odata", "https://h:8443/odata", false},
      {"https://h_/odata", "https://h_/api", true},
      {"https://h//a_/b", "https://h//a_/c", true},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct service *one = service_of(loop, rows[i].one), *other = service_of(loop, rows[i].other);
    assert_non_null(one);
    assert_non_null(other);
    if ((one == other) != rows[i].same) fail_msg("%s, %s", rows[i].one, rows[i].other);
  }
  /* one is not found by the beginning of another's name */
  assert_ptr_not_equal(service_of(loop, "https://h/acme/T/du_/x"), service_of(loop, "https://h/acme/T/du_du_/x"));
}

/* Lets a service learn from these header lines at the time 1000. */
static void learn(struct service *service, const char *headers) {
  struct transfer transfer = {0};
  if (headers[0] != '\0') assert_true(buffer_append_string(&transfer.reply_headers, headers));
  service_learn(service, &transfer, 1000);
  buffer_free(&transfer.reply_headers);
}

static void a_service_without_requests_remaining_is_held_until_reset(void **state) {
  struct loop *loop = *state;
  static const struct {
    const char *headers;
    int64_t held_until; /* 0: it is not */
  } rows[] = {
      {"RateLimit-Limit: 100\r\nRateLimit-Remaining: 0\r\nRateLimit-Policy: 100;w=300\r\nRateLimit-Reset: 50\r\n\r\n", 51000},
      {"ratelimit-remaining: 0\r\nratelimit-reset: 50\r\n", 51000},
      {"RATELIMIT-RESET:50\r\nRATELIMIT-REMAINING:0\r\n", 51000},
      {"RateLimit-Remaining: \t 0 \t\r\nRateLimit-Reset:  50 \r\n", 51000},
      {"RateLimit-Remaining: 0;w=300\r\nRateLimit-Reset: 0.5\r\n", 1500},
      {"RateLimit-Remaining: 5\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 50\r\n", 51000}, /* the last one holds */
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 50", 51000},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 86400\r\n", 86401000},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 86401\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 1795000000\r\n", 0}, /* a date */
      {"RateLimit-Remaining: 49\r\nRateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining: 1\r\nRateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Remaining: 5\r\nRateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining: 0\r\n", 0},
      {"RateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 0\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: -1\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset: soon\r\n", 0},
      {"RateLimit-Remaining: 0\r\nRateLimit-Reset:\r\n", 0},
      {"RateLimit-Remaining: -1\r\nRateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining:\r\nRateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining: none\r\nRateLimit-Reset: 50\r\n", 0},
      {"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 50\r\n", 0},
      {"RateLimit-Remaining : 0\r\nRateLimit-Reset: 50\r\n", 0},
      {"Other: RateLimit-Remaining: 0\r\nRateLimit-Reset: 50\r\n", 0},
      {"\r\n", 0},
      {"", 0},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct service *service = service_of(loop, "https://h/du_/x");
    assert_int_equal(service_held_until(service), 0);
    learn(service, rows[i].headers);
    if (service_held_until(service) != rows[i].held_until)
      fail_msg("%s: %lld", rows[i].headers, (long long)service_held_until(service));
    services_free(loop);
  }
}

static void what_a_service_asked_for_holds_until_it_asks_for_else(void **state) {
  struct loop *loop = *state;
  struct service *held = service_of(loop, "https://h/du_/x"), *other = service_of(loop, "https://h/pims_/x");
  learn(held, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 50\r\n");
  assert_int_equal(service_held_until(other), 0);
  learn(held, "RateLimit-Remaining: 7\r\nRateLimit-Reset: 50\r\n"); /* a reply to an earlier request may come later */
  assert_int_equal(service_held_until(held), 51000);
  learn(held, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 60\r\n");
  assert_int_equal(service_held_until(held), 61000);
  learn(held, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 99999999999999999999999999\r\n");
  assert_int_equal(service_held_until(held), 61000); /* no number of seconds */
}

/* ======================================================================== */
/* Turns                                                                    */
/* ======================================================================== */

#define MOST MOST_REQUESTS_PER_SERVICE

struct caller {
  struct turn turn;
  int began;      /* the how-manieth to begin, from 1; 0: not yet */
  bool ends_soon; /* as soon as it begins */
};

static int begun;

static void note_begin(void *owner) {
  struct caller *caller = owner;
  caller->began = ++begun;
  if (caller->ends_soon) turn_end(&caller->turn);
}

static void take(struct caller *callers, int count, struct service *service) {
  for (int i = 0; i < count; i++) {
    callers[i] = (struct caller){.ends_soon = callers[i].ends_soon};
    callers[i].turn.begin = note_begin;
    callers[i].turn.owner = &callers[i];
    turn_take(&callers[i].turn, service);
  }
}

static void turns_are_taken_in_order_and_handed_on(void **state) {
  struct service *service = service_of(*state, "https://h/du_/x");
  static struct caller callers[MOST + 5];
  begun = 0;
  take(callers, MOST + 5, service);
  assert_int_equal(begun, MOST);
  for (int i = 0; i < MOST; i++) assert_int_equal(callers[i].began, i + 1);
  turn_end(&callers[MOST + 1].turn); /* the second in the queue gives up, then the last, then the first */
  turn_end(&callers[MOST + 4].turn);
  turn_end(&callers[MOST].turn);
  assert_int_equal(begun, MOST);
  turn_end(&callers[7].turn);
  assert_int_equal(callers[MOST + 2].began, MOST + 1);
  turn_end(&callers[7].turn); /* it has none any more: nothing happens */
  assert_int_equal(begun, MOST + 1);
  turn_end(&callers[8].turn);
  assert_int_equal(callers[MOST + 3].began, MOST + 2);
  turn_take(&callers[8].turn, service); /* again: to the end of the queue, and out of it */
  turn_end(&callers[8].turn);
  turn_end(&callers[9].turn);
  turn_take(&callers[9].turn, service);
  assert_int_equal(callers[9].began, MOST + 3);
  for (int i = 0; i < MOST + 5; i++) turn_end(&callers[i].turn);
  assert_int_equal(begun, MOST + 3);
  assert_int_equal(callers[MOST].began + callers[MOST + 1].began + callers[MOST + 4].began, 0);
  /* all are free again */
  begun = 0;
  take(callers, MOST + 1, service);
  assert_int_equal(begun, MOST);
  for (int i = 0; i < MOST + 1; i++) turn_end(&callers[i].turn);
}

static void services_do_not_wait_for_each_other(void **state) {
  static struct caller callers[MOST + 1], others[1];
  begun = 0;
  take(callers, MOST + 1, service_of(*state, "https://h/du_/x"));
  take(others, 1, service_of(*state, "https://h/pims_/x"));
  assert_int_equal(others[0].began, MOST + 1);
  assert_int_equal(callers[MOST].began, 0);
  turn_end(&others[0].turn);
  assert_int_equal(callers[MOST].began, 0);
  for (int i = MOST; i >= 0; i--) turn_end(&callers[i].turn);
}

static void before_the_first_response_a_service_has_the_streams_of_one_connection(void **state) {
  static struct caller callers[MOST + 1];
  struct loop *loop = *state;
  begun = 0;
  take(callers, MOST + 1, service_of(loop, "https://unknown/du_/x"));
  assert_int_equal(begun, STREAMS_PER_CONNECTION);
  turn_end(&callers[0].turn); /* it failed without a response */
  assert_int_equal(begun, STREAMS_PER_CONNECTION + 1);
  origin_learn(origin_of(loop, "https://unknown/pims_/x"), 11);
  turn_end(&callers[1].turn);
  assert_int_equal(begun, MOST + 1);
  for (int i = 0; i < MOST + 1; i++) turn_end(&callers[i].turn);
}

static void many_that_end_at_once_do_not_nest(void **state) {
  enum { WAITING = 100000 }; /* deep enough for a stack to overflow */
  static struct caller callers[MOST + WAITING];
  begun = 0;
  for (int i = MOST; i < MOST + WAITING; i++) callers[i].ends_soon = true;
  take(callers, MOST + WAITING, service_of(*state, "https://h/du_/x"));
  assert_int_equal(begun, MOST);
  turn_end(&callers[0].turn);
  assert_int_equal(begun, MOST + WAITING);
  for (int i = MOST; i < MOST + WAITING; i++) assert_int_equal(callers[i].began, i + 1);
  for (int i = 0; i < MOST; i++) turn_end(&callers[i].turn);
}

/* ======================================================================== */
/* Many services                                                            */
/* ======================================================================== */

/* The n-th of many. */
static struct service *numbered(struct loop *loop, int number) {
  char url[64];
  snprintf(url, sizeof url, "https://h%d/acme/T%d/du_/x", number / 7, number);
  struct service *service = service_of(loop, url);
  assert_non_null(service);
  assert_ptr_equal(service_of(loop, url), service);
  return service;
}

static void services_that_nobody_uses_are_not_kept_for_ever(void **state) {
  struct loop *loop = *state;
  size_t most = 0;
  for (int i = 0; i < 100000; i++) {
    numbered(loop, i);
    if (services_count(loop) > most) most = services_count(loop);
  }
  assert_true(most <= 128);
}

static void what_is_used_waited_for_or_held_is_kept(void **state) {
  struct loop *loop = *state;
  static struct caller callers[MOST + 1];
  static struct caller few[300];
  struct service *busy = numbered(loop, -1), *held = numbered(loop, -2);
  take(callers, MOST + 1, busy);
  struct transfer transfer = {0};
  assert_true(buffer_append_string(&transfer.reply_headers, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 3600\r\n"));
  service_learn(held, &transfer, clock_monotonic_ms());
  buffer_free(&transfer.reply_headers);
  for (int i = 0; i < 300; i++) take(&few[i], 1, numbered(loop, i));
  for (int i = 1000; i < 20000; i++) numbered(loop, i);
  assert_true(services_count(loop) < 1300);
  assert_ptr_equal(numbered(loop, -1), busy);
  assert_ptr_equal(numbered(loop, -2), held);
  assert_true(service_held_until(held) > 0);
  for (int i = 0; i < 300; i++) {
    assert_ptr_equal(numbered(loop, i), few[i].turn.service);
    turn_end(&few[i].turn);
  }
  begun = 0;
  turn_end(&callers[0].turn);
  assert_int_equal(begun, 1);
  for (int i = 1; i <= MOST; i++) turn_end(&callers[i].turn);
  for (int i = 20000; i < 40000; i++) numbered(loop, i);
  assert_true(services_count(loop) < 1300);
}

static void services_that_ask_to_be_left_alone_are_bounded_too(void **state) {
  struct loop *loop = *state;
  struct transfer transfer = {0};
  assert_true(buffer_append_string(&transfer.reply_headers, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 3600\r\n"));
  for (int i = 0; i < 20000; i++) {
    service_learn(numbered(loop, i), &transfer, clock_monotonic_ms());
    assert_true(services_count(loop) <= 4096);
  }
  buffer_free(&transfer.reply_headers);
}

/* Ends its turn and asks for many other services at once, while its own is handing turns on. */
static struct loop *crowded;
static void crowd(void *owner) {
  struct caller *caller = owner;
  caller->began = ++begun;
  turn_end(&caller->turn);
  for (int i = 0; i < 500; i++) numbered(crowded, i);
}

static void a_service_that_hands_on_turns_is_not_dropped_meanwhile(void **state) {
  static struct caller callers[MOST + 3];
  crowded = *state;
  begun = 0;
  struct service *service = numbered(crowded, -1);
  take(callers, MOST, service);
  for (int i = MOST; i < MOST + 3; i++) {
    callers[i] = (struct caller){.turn = {.begin = crowd, .owner = &callers[i]}};
    turn_take(&callers[i].turn, service);
  }
  for (int i = 0; i < MOST; i++) turn_end(&callers[i].turn);
  assert_int_equal(begun, MOST + 3);
}

#define PACE_TEST(name) cmocka_unit_test_setup_teardown(name, new_loop, free_services)

int main(void) {
  const struct CMUnitTest tests[] = {
      PACE_TEST(a_service_is_an_origin_and_a_segment_that_ends_in_an_underscore),
      PACE_TEST(a_service_without_requests_remaining_is_held_until_reset),
      PACE_TEST(what_a_service_asked_for_holds_until_it_asks_for_else),
      PACE_TEST(turns_are_taken_in_order_and_handed_on),
      PACE_TEST(services_do_not_wait_for_each_other),
      PACE_TEST(before_the_first_response_a_service_has_the_streams_of_one_connection),
      PACE_TEST(many_that_end_at_once_do_not_nest),
      PACE_TEST(services_that_nobody_uses_are_not_kept_for_ever),
      PACE_TEST(what_is_used_waited_for_or_held_is_kept),
      PACE_TEST(services_that_ask_to_be_left_alone_are_bounded_too),
      PACE_TEST(a_service_that_hands_on_turns_is_not_dropped_meanwhile),
  };
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
