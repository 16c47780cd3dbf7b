#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/headers.h"

static struct buffer lines_of(const char *text) {
  struct buffer lines = BUFFER_EMPTY;
  assert_true(buffer_append_string(&lines, text));
  return lines;
}

static void fields_are_found_one_after_the_other(void **state) {
  (void)state;
  struct buffer lines = lines_of("A: 1\r\nb:2 \r\nA:\t x y\t\r\nAB: 3\r\nno colon\r\na:\r\nA: last");
  static const char *const values[] = {"1", "x y", "", "last"};
  const char *value = NULL;
  size_t length = 99;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    value = headers_next(&lines, "a", value, &length);
    assert_non_null(value);
    assert_int_equal(length, strlen(values[i]));
    assert_memory_equal(value, values[i], length);
  }
  assert_null(headers_next(&lines, "a", value, &length));
  value = headers_last(&lines, "A", &length);
  assert_int_equal(length, 4);
  assert_memory_equal(value, "last", 4);
  value = headers_last(&lines, "B", &length);
  assert_int_equal(length, 1);
  assert_memory_equal(value, "2", 1);
  buffer_free(&lines);
}

static void what_is_not_there_is_not_found(void **state) {
  (void)state;
  static const char *const texts[] = {"", "\r\n", "A", "A 1\r\n", "AA: 1\r\n", ": A\r\n", "B: A: 1\r\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct buffer lines = lines_of(texts[i]);
    size_t length = 99;
    assert_null(headers_next(&lines, "A", NULL, &length));
    assert_null(headers_last(&lines, "A", &length));
    assert_int_equal(length, 99);
    buffer_free(&lines);
  }
  struct buffer none = BUFFER_EMPTY;
  size_t length;
  assert_null(headers_last(&none, "A", &length));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_found_one_after_the_other),
      cmocka_unit_test(what_is_not_there_is_not_found),
  };
  return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
