#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/engine/timer.h"

#define MANY 200

static int64_t fired[MANY];
static int fired_count;

static void note(void *owner) {
  fired[fired_count++] = ((struct timer *)owner)->due;
}

static void timers_fire_in_order(void **state) {
  (void)state;
  struct timers timers = {0};
  static struct timer all[MANY];
  uint32_t random = 1;
  fired_count = 0;
  assert_int_equal(timers_next(&timers), INT64_MAX);
  for (int i = 0; i < MANY; i++) {
    random = random * 1103515245 + 12345;
    all[i] = (struct timer){.expired = note, .owner = &all[i]};
    assert_true(timers_set(&timers, &all[i], random >> 16));
  }
  for (int i = 0; i < MANY; i += 3) timers_clear(&timers, &all[i]);
  for (int i = 1; i < MANY; i += 3) assert_true(timers_set(&timers, &all[i], all[i].due / 2));
  timers_run(&timers, INT64_MAX - 1);
  assert_int_equal(fired_count, MANY - (MANY + 2) / 3);
  for (int i = 1; i < fired_count; i++) assert_true(fired[i - 1] <= fired[i]);
  assert_int_equal(timers_next(&timers), INT64_MAX);
  timers_free(&timers);
}

static void only_what_is_due_fires(void **state) {
  (void)state;
  struct timers timers = {0};
  struct timer early = {.expired = note, .owner = &early}, late = {.expired = note, .owner = &late};
  fired_count = 0;
  timers_set(&timers, &late, 20);
  timers_set(&timers, &early, 10);
  timers_run(&timers, 10);
  assert_int_equal(fired_count, 1);
  assert_int_equal(timers_next(&timers), 20);
  timers_clear(&timers, &early); /* set no more: nothing happens */
  timers_clear(&timers, &late);
  assert_int_equal(timers_next(&timers), INT64_MAX);
  timers_free(&timers);
}

static struct timers *running;
static struct timer chained[3];

/* The first clears the second and sets the third, which is due already, and itself for later. */
static void meddle(void *owner) {
  note(owner);
  timers_clear(running, &chained[1]);
  assert_true(timers_set(running, &chained[2], 3));
  assert_true(timers_set(running, &chained[0], 40));
}

static void one_that_fires_may_set_and_clear_any(void **state) {
  (void)state;
  struct timers timers = {0};
  running = &timers;
  for (int i = 0; i < 3; i++) chained[i] = (struct timer){.expired = i == 0 ? meddle : note, .owner = &chained[i]};
  fired_count = 0;
  timers_set(&timers, &chained[0], 10);
  timers_set(&timers, &chained[1], 20);
  timers_run(&timers, 30);
  assert_int_equal(fired_count, 2);
  assert_int_equal(fired[0], 10);
  assert_int_equal(fired[1], 3);
  assert_int_equal(timers_next(&timers), 40);
  assert_int_equal(chained[1].place + chained[2].place, 0);
  timers_free(&timers);
}

static void one_that_is_set_again_moves(void **state) {
  (void)state;
  struct timers timers = {0};
  static struct timer all[7];
  fired_count = 0;
  for (int i = 0; i < 7; i++) {
    all[i] = (struct timer){.expired = note, .owner = &all[i]};
    timers_set(&timers, &all[i], 10 * (i + 1));
  }
  assert_true(timers_set(&timers, &all[0], 100)); /* to the end */
  assert_int_equal(timers_next(&timers), 20);
  assert_true(timers_set(&timers, &all[6], 5)); /* to the front */
  assert_int_equal(timers_next(&timers), 5);
  assert_true(timers_set(&timers, &all[6], 5)); /* nowhere */
  assert_int_equal(timers.count, 7);
  timers_run(&timers, 60);
  static const int64_t expected[] = {5, 20, 30, 40, 50, 60};
  assert_int_equal(fired_count, 6);
  assert_memory_equal(fired, expected, sizeof expected);
  assert_int_equal(timers_next(&timers), 100);
  timers_run(&timers, INT64_MIN);
  assert_int_equal(fired_count, 6);
  timers_free(&timers);
}

static void timers_that_are_due_together_all_fire(void **state) {
  (void)state;
  struct timers timers = {0};
  static struct timer all[MANY];
  fired_count = 0;
  for (int i = 0; i < MANY; i++) {
    all[i] = (struct timer){.expired = note, .owner = &all[i]};
    timers_set(&timers, &all[i], 7);
  }
  timers_run(&timers, 6);
  assert_int_equal(fired_count, 0);
  timers_run(&timers, 7);
  assert_int_equal(fired_count, MANY);
  for (int i = 0; i < MANY; i++) assert_int_equal(all[i].place, 0);
  timers_free(&timers);
  timers_free(&timers); /* again: nothing happens */
}

/* A set of timers under random orders, against a plain list of what is due when. */
static void random_orders_leave_the_earliest_first(void **state) {
  (void)state;
  struct timers timers = {0};
  static struct timer all[50];
  int64_t due[50];
  uint32_t random = 7;
  for (int i = 0; i < 50; i++) all[i] = (struct timer){.expired = note, .owner = &all[i]}, due[i] = INT64_MAX;
  for (int step = 0; step < 20000; step++) {
    random = random * 1103515245 + 12345;
    int i = (int)(random >> 16) % 50;
    random = random * 1103515245 + 12345;
    if (random >> 30 == 0) {
      timers_clear(&timers, &all[i]);
      due[i] = INT64_MAX;
    } else {
      due[i] = (int64_t)(random >> 16 & 1023) - 512;
      assert_true(timers_set(&timers, &all[i], due[i]));
    }
    int64_t earliest = INT64_MAX;
    for (int j = 0; j < 50; j++) {
      if (due[j] < earliest) earliest = due[j];
      assert_int_equal(all[j].place != 0, due[j] != INT64_MAX);
    }
    assert_int_equal(timers_next(&timers), earliest);
  }
  timers_free(&timers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_in_order),
      cmocka_unit_test(only_what_is_due_fires),
      cmocka_unit_test(one_that_fires_may_set_and_clear_any),
      cmocka_unit_test(one_that_is_set_again_moves),
      cmocka_unit_test(timers_that_are_due_together_all_fire),
      cmocka_unit_test(random_orders_leave_the_earliest_first),
  };
  return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
