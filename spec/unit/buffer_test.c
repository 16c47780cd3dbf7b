#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/buffer.h"

static void what_is_appended_is_there_and_terminated(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  assert_true(buffer_append_string(&buffer, "ab"));
  assert_true(buffer_append_char(&buffer, 'c'));
  assert_true(buffer_append(&buffer, "\0d", 2));
  assert_true(buffer_append(&buffer, "", 0));
  assert_true(buffer_append(&buffer, NULL, 0));
  assert_true(buffer_append_string(&buffer, ""));
  assert_int_equal(buffer.length, 5);
  assert_memory_equal(buffer.data, "abc\0d", 6);
  buffer_free(&buffer);
  assert_null(buffer.data);
  assert_int_equal(buffer.length, 0);
  assert_int_equal(buffer.capacity, 0);
  buffer_free(&buffer); /* again: nothing happens */
}

static void nothing_appended_is_an_empty_string(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  assert_true(buffer_append(&buffer, NULL, 0));
  assert_int_equal(buffer.length, 0);
  assert_string_equal(buffer.data, "");
  buffer_free(&buffer);
}

/* Sizes around each doubling, with room for the NUL or just not. */
static void it_grows_as_needed(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 254, 255, 256, 257, 511, 512, 513, 65535, 65536, 65537, 1 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct buffer buffer = BUFFER_EMPTY;
    char *bytes = malloc(sizes[i]);
    assert_non_null(bytes);
    memset(bytes, 'x', sizes[i]);
    for (size_t times = 1; times <= 3; times++) {
      assert_true(buffer_append(&buffer, bytes, sizes[i]));
      assert_int_equal(buffer.length, times * sizes[i]);
      assert_true(buffer.capacity > buffer.length);
      assert_int_equal(strlen(buffer.data), buffer.length);
    }
    free(bytes);
    buffer_free(&buffer);
  }
}

static void one_by_one_needs_few_allocations(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  size_t capacity = 0;
  int grown = 0;
  for (int i = 0; i < 1000000; i++) {
    assert_true(buffer_append_char(&buffer, (char)i));
    if (buffer.capacity != capacity) grown++;
    capacity = buffer.capacity;
  }
  for (int i = 0; i < 1000000; i++) assert_true(buffer.data[i] == (char)i);
  assert_true(grown <= 14);
  buffer_free(&buffer);
}

static void reserved_room_is_used_without_moving(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  assert_true(buffer_reserve(&buffer, 1000));
  char *data = buffer.data;
  assert_int_equal(buffer.length, 0);
  for (int i = 0; i < 1000; i++) assert_true(buffer_append_char(&buffer, 'x'));
  assert_ptr_equal(buffer.data, data);
  size_t capacity = buffer.capacity;
  assert_true(buffer_reserve(&buffer, 0));
  assert_true(buffer_reserve(&buffer, capacity - buffer.length - 1));
  assert_int_equal(buffer.capacity, capacity);
  buffer_free(&buffer);
}

static void what_no_memory_can_hold_is_refused_and_nothing_changes(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  assert_true(buffer_append_string(&buffer, "ab"));
  struct buffer before = buffer;
  static const size_t more[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX - 3, SIZE_MAX / 2 + 1, SIZE_MAX / 2 - 1};
  for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
    assert_false(buffer_reserve(&buffer, more[i]));
    assert_false(buffer_append(&buffer, "x", more[i]));
    assert_memory_equal(&buffer, &before, sizeof buffer);
    assert_string_equal(buffer.data, "ab");
  }
  buffer_free(&buffer);
}

static void wiping_leaves_it_empty(void **state) {
  (void)state;
  struct buffer buffer = BUFFER_EMPTY;
  buffer_wipe(&buffer);
  assert_true(buffer_append_string(&buffer, "secret"));
  buffer_wipe(&buffer);
  assert_null(buffer.data);
  assert_int_equal(buffer.length + buffer.capacity, 0);
  secret_free(NULL);
  secret_free(strdup("secret"));
  secret_free(strdup(""));
}

/* Every free of this program and of what it is linked with, so that memory can be looked at that is about to be freed. */
void __wrap_free(void *memory);
void __real_free(void *memory);

static const char *watched;
static size_t watched_length;
static bool was_freed, was_overwritten;

void __wrap_free(void *memory) {
  if (memory != NULL && memory == watched) {
    was_freed = was_overwritten = true;
    for (size_t i = 0; i < watched_length; i++) was_overwritten = was_overwritten && watched[i] == 0;
    watched = NULL;
  }
  __real_free(memory);
}

static void watch(const char *memory, size_t length) {
  watched = memory;
  watched_length = length;
  was_freed = was_overwritten = false;
}

/* Lengths below and above those at which memset goes other ways. */
static void secrets_are_overwritten_before_they_are_freed(void **state) {
  (void)state;
  static const size_t lengths[] = {1, 7, 8, 31, 33, 100, 1500, 70000};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    struct buffer buffer = BUFFER_EMPTY;
    for (size_t n = 0; n < lengths[i]; n++) assert_true(buffer_append_char(&buffer, 's'));
    char *secret = strdup(buffer.data);
    assert_non_null(secret);
    watch(buffer.data, buffer.length);
    buffer_wipe(&buffer);
    assert_true(was_freed && was_overwritten);
    watch(secret, lengths[i]);
    secret_free(secret);
    assert_true(was_freed && was_overwritten);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_appended_is_there_and_terminated),
      cmocka_unit_test(nothing_appended_is_an_empty_string),
      cmocka_unit_test(it_grows_as_needed),
      cmocka_unit_test(one_by_one_needs_few_allocations),
      cmocka_unit_test(reserved_room_is_used_without_moving),
      cmocka_unit_test(what_no_memory_can_hold_is_refused_and_nothing_changes),
      cmocka_unit_test(wiping_leaves_it_empty),
      cmocka_unit_test(secrets_are_overwritten_before_they_are_freed),
  };
  return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
