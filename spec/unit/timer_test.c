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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_in_order),
      cmocka_unit_test(only_what_is_due_fires),
  };
  return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
