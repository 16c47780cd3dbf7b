/* How long certificates that were read from a file are good for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/engine/trust.h"

static void they_are_as_old_as_the_files_last_change_at_most(void **state) {
  (void)state;
  static const struct {
    int64_t since_change_ms;
    long seconds;
  } rows[] = {
      {0, 0},        {999, 0},       {1000, 0}, /* the file's date may be a little behind */
      {1050, 1},     {2049, 1},      {2050, 2},       {60050, 60},
      {600049, 599}, {600050, 600},  {86400000, 600}, /* a file may be exchanged for an older one */
      {-1, 0},       {-86400000, 0},                  /* the clock was set back */
  };
  const int64_t now = 1795000000000;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(trust_longest_age(now - rows[i].since_change_ms, now), rows[i].seconds);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(they_are_as_old_as_the_files_last_change_at_most),
  };
  return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
