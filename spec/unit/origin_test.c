/* How many connections to a host libcurl may have: nothing is sent, no socket is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/engine/loop.h"
#include "../../src/engine/origin.h"

static int new_loop(void **state) {
  static struct loop loop;
  loop = (struct loop){.multi = curl_multi_init()};
  *state = &loop;
  return loop.multi == NULL ? -1 : 0;
}

static int free_loop(void **state) {
  struct loop *loop = *state;
  origins_free(loop);
  curl_multi_cleanup(loop->multi);
  return 0;
}

static void begin(struct loop *loop, struct origin *origin, int count) {
  for (int i = 0; i < count; i++) origin_begin(loop, origin);
}

static void end(struct loop *loop, struct origin *origin, int count) {
  for (int i = 0; i < count; i++) origin_end(loop, origin);
}

static void an_origin_is_scheme_host_and_port(void **state) {
  struct loop *loop = *state;
  struct origin *origin = origin_of(loop, "https://h:8443/acme/T/orchestrator_/x");
  assert_ptr_equal(origin, origin_of(loop, "https://h:8443/acme/identity_/connect/token"));
  assert_ptr_equal(origin, origin_of(loop, "https://h:8443"));
  assert_ptr_equal(origin, origin_of(loop, "https://h:8443?x=/y"));
  assert_ptr_not_equal(origin, origin_of(loop, "https://h/acme/T/orchestrator_/x"));
  assert_ptr_not_equal(origin, origin_of(loop, "https://h:844/acme/T/orchestrator_/x"));
  assert_ptr_not_equal(origin, origin_of(loop, "http://h:8443/acme/T/orchestrator_/x"));
}

static void one_that_shares_its_connections_has_one_for_a_hundred_requests(void **state) {
  struct loop *loop = *state;
  struct origin *origin = origin_of(loop, "https://h/");
  origin_learn(origin, 20);
  begin(loop, origin, 1);
  assert_int_equal(loop->connections_per_host, 3); /* the least */
  begin(loop, origin, 299);
  assert_int_equal(loop->connections_per_host, 3);
  begin(loop, origin, 1); /* those of another service */
  assert_int_equal(loop->connections_per_host, 4);
  begin(loop, origin, 99);
  assert_int_equal(loop->connections_per_host, 4);
  end(loop, origin, 100);
  assert_int_equal(loop->connections_per_host, 3);
  end(loop, origin, 300);
  assert_int_equal(loop->connections_per_host, 3);
}

static void one_that_does_not_has_one_for_each(void **state) {
  struct loop *loop = *state;
  struct origin *origin = origin_of(loop, "http://h/");
  begin(loop, origin, 127);
  assert_int_equal(loop->connections_per_host, 127);
  begin(loop, origin, 129);
  assert_int_equal(loop->connections_per_host, 128); /* the most */
  end(loop, origin, 129);
  assert_int_equal(loop->connections_per_host, 127);
  end(loop, origin, 127);
  assert_int_equal(loop->connections_per_host, 3);
}

static void the_version_of_a_response_tells_which_it_is(void **state) {
  struct loop *loop = *state;
  struct origin *origin = origin_of(loop, "https://h/");
  assert_true(origin_is_unknown(origin));
  begin(loop, origin, 50); /* it may need one for each */
  assert_int_equal(loop->connections_per_host, 50);
  origin_learn(origin, 0); /* there was none */
  assert_true(origin_is_unknown(origin));
  origin_learn(origin, 20);
  assert_false(origin_is_unknown(origin));
  end(loop, origin, 1);
  assert_int_equal(loop->connections_per_host, 3);
  origin_learn(origin, 11); /* another server answers there now */
  end(loop, origin, 1);
  assert_int_equal(loop->connections_per_host, 48);
  origin_learn(origin, 30);
  end(loop, origin, 48);
  assert_int_equal(loop->connections_per_host, 3);
  assert_false(origin_is_unknown(origin_of(loop, "HTTP://h/")));
}

static void the_one_that_needs_most_decides(void **state) {
  struct loop *loop = *state;
  struct origin *shared = origin_of(loop, "https://h/"), *storage = origin_of(loop, "https://storage/");
  origin_learn(shared, 20);
  origin_learn(storage, 11);
  begin(loop, shared, 256);
  begin(loop, storage, 3);
  assert_int_equal(loop->connections_per_host, 3); /* a few files beside it change nothing */
  begin(loop, storage, 1);
  assert_int_equal(loop->connections_per_host, 4);
  end(loop, storage, 4);
  assert_int_equal(loop->connections_per_host, 3);
  end(loop, shared, 256);
}

/* The n-th of many. */
static struct origin *nth(struct loop *loop, int n) {
  char url[64];
  snprintf(url, sizeof url, "https://h%d.example/x", n);
  return origin_of(loop, url);
}

static void those_that_nobody_uses_are_dropped_when_they_are_many(void **state) {
  struct loop *loop = *state;
  struct origin *busy = origin_of(loop, "https://busy/"), *held = origin_of(loop, "https://held/");
  origin_learn(busy, 20);
  begin(loop, busy, 1);
  origin_learn(held, 20);
  origin_hold(held);
  for (int n = 0; n < 10000; n++) {
    assert_non_null(nth(loop, n));
    assert_true(loop->origin_count <= 64);
  }
  assert_ptr_equal(busy, origin_of(loop, "https://busy/"));
  assert_ptr_equal(held, origin_of(loop, "https://held/"));
  assert_false(origin_is_unknown(busy));
  assert_false(origin_is_unknown(held));
  end(loop, busy, 1);
  origin_let_go(held);
  for (int n = 0; n < 200; n++) nth(loop, n);
  assert_true(origin_is_unknown(origin_of(loop, "https://busy/")));
  assert_true(origin_is_unknown(origin_of(loop, "https://held/")));
}

static void those_that_are_used_stay_however_many(void **state) {
  struct loop *loop = *state;
  static struct origin *used[500];
  for (int n = 0; n < 500; n++) {
    used[n] = nth(loop, n);
    origin_hold(used[n]);
    assert_int_equal(loop->origin_count, n + 1);
  }
  for (int n = 0; n < 500; n++) assert_ptr_equal(nth(loop, n), used[n]);
}

#define ORIGIN_TEST(name) cmocka_unit_test_setup_teardown(name, new_loop, free_loop)

int main(void) {
  const struct CMUnitTest tests[] = {
      ORIGIN_TEST(an_origin_is_scheme_host_and_port),
      ORIGIN_TEST(one_that_shares_its_connections_has_one_for_a_hundred_requests),
      ORIGIN_TEST(one_that_does_not_has_one_for_each),
      ORIGIN_TEST(the_version_of_a_response_tells_which_it_is),
      ORIGIN_TEST(the_one_that_needs_most_decides),
      ORIGIN_TEST(those_that_nobody_uses_are_dropped_when_they_are_many),
      ORIGIN_TEST(those_that_are_used_stay_however_many),
  };
  return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
