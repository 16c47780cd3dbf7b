/* Large buffers that are used again: what a buffer holds stays, memory comes back, small buffers are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/spare.h"

static void append(struct buffer *buffer, char character, size_t length) {
  char bytes[1024];
  memset(bytes, character, sizeof bytes);
  for (; length > 0; length -= length < sizeof bytes ? length : sizeof bytes) {
    size_t more = length < sizeof bytes ? length : sizeof bytes;
    spare_take(buffer, more);
    assert_true(buffer_append(buffer, bytes, more));
  }
}

static void leaves_small_buffers_alone(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  append(&buffer, 'a', SPARE_LEAST_CAPACITY - 2048);
  assert_true(buffer.capacity <= SPARE_LEAST_CAPACITY);
  char *data = buffer.data;
  spare_take(&buffer, 1024);
  assert_ptr_equal(data, buffer.data);
  spare_give(&buffer);
  assert_null(buffer.data);
  assert_int_equal(0, buffer.capacity);
}

static void keeps_what_a_buffer_holds(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  append(&buffer, 'a', SPARE_LEAST_CAPACITY / 2);
  append(&buffer, 'b', SPARE_LEAST_CAPACITY);
  assert_true(buffer.capacity > SPARE_LEAST_CAPACITY);
  assert_int_equal(SPARE_LEAST_CAPACITY / 2 * 3, buffer.length);
  for (size_t i = 0; i < buffer.length; i++) assert_int_equal(i < SPARE_LEAST_CAPACITY / 2 ? 'a' : 'b', buffer.data[i]);
  assert_int_equal('\0', buffer.data[buffer.length]);
  spare_give(&buffer);
}

static void gives_memory_out_again(void **state) {
  (void)state;
  struct buffer first = BUFFER_EMPTY, second = BUFFER_EMPTY;
  append(&first, 'a', SPARE_LEAST_CAPACITY * 2);
  char *data = first.data;
  spare_give(&first);
  assert_null(first.data);
  assert_int_equal(0, first.length);
  append(&second, 'b', SPARE_LEAST_CAPACITY);
  assert_ptr_equal(data, second.data);
  assert_int_equal(SPARE_LEAST_CAPACITY, second.length);
  spare_give(&second);
}

static void holds_no_more_than_a_few(void **state) {
  (void)state;
  struct buffer buffers[8];
  char *given[8];
  for (int i = 0; i < 8; i++) {
    buffers[i] = BUFFER_EMPTY;
    append(&buffers[i], 'a', SPARE_LEAST_CAPACITY);
    given[i] = buffers[i].data;
  }
  /* One that has grown beyond what pages need is not kept at all. */
  append(&buffers[0], 'a', 8 << 20);
  for (int i = 0; i < 8; i++) spare_give(&buffers[i]);
  struct buffer buffer = BUFFER_EMPTY;
  append(&buffer, 'a', SPARE_LEAST_CAPACITY);
  assert_ptr_equal(given[1], buffer.data);
  assert_true(buffer.capacity <= 4 << 20);
  spare_give(&buffer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(leaves_small_buffers_alone),
      cmocka_unit_test(keeps_what_a_buffer_holds),
      cmocka_unit_test(gives_memory_out_again),
      cmocka_unit_test(holds_no_more_than_a_few),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
