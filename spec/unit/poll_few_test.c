/* Waiting with few descriptors: when it is due, and that it never spins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/clock.h"
#include "../../src/engine/poll_few.h"

static void due_where_poll_might_be_asked_for_too_much(void **state) {
  (void)state;
  struct rlimit before, few;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = 102;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  assert_false(poll_few_is_due(0));
  assert_false(poll_few_is_due(50));
  assert_true(poll_few_is_due(51));
  few.rlim_cur = 20;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  assert_false(poll_few_is_due(15));
  assert_true(poll_few_is_due(16));
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void tells_of_the_descriptor_and_sleeps_without_it(void **state) {
  (void)state;
  CURLM *multi = curl_multi_init();
  int ends[2];
  bool is_ready = true;
  assert_non_null(multi);
  assert_int_equal(pipe(ends), 0);
  int64_t began = clock_monotonic_ms();
  for (int i = 0; i < 5; i++) assert_false(poll_few(multi, ends[0], &is_ready, 60000));
  assert_false(is_ready);
  for (int i = 0; i < 5; i++) assert_false(poll_few(multi, -1, &is_ready, 60000));
  int64_t slept = clock_monotonic_ms() - began;
  assert_true(slept >= 90); /* ten times ten */
  assert_true(slept < 50000);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_true(poll_few(multi, ends[0], &is_ready, 60000));
  assert_true(is_ready);
  /* More than poll takes all the same. */
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  is_ready = false;
  began = clock_monotonic_ms();
  for (int i = 0; i < 10; i++) assert_false(poll_few(multi, ends[0], &is_ready, 60000));
  assert_true(clock_monotonic_ms() - began >= 90);
  assert_true(is_ready); /* it may be */
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  close(ends[0]);
  close(ends[1]);
  curl_multi_cleanup(multi);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(due_where_poll_might_be_asked_for_too_much),
      cmocka_unit_test(tells_of_the_descriptor_and_sleeps_without_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
