/* Compressed bodies: whole or in pieces, of several members, cut short, garbled, and far larger than they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/gunzip.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define UNLIMITED ((size_t)1 << 40)
#define AT_ONCE ((size_t)70000)

/* Appends a gzip member that holds these bytes. */
static void pack(struct buffer *packed, const char *bytes, size_t length) {
  z_stream stream = {0};
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  size_t room = deflateBound(&stream, (uLong)length);
  assert_true(buffer_reserve(packed, room));
  stream.next_in = (z_const Bytef *)bytes;
  stream.avail_in = (uInt)length;
  stream.next_out = (Bytef *)packed->data + packed->length;
  stream.avail_out = (uInt)room;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed->length += room - stream.avail_out;
  deflateEnd(&stream);
}

/* Bytes that can be packed to about half of their size. */
static struct buffer text_of(size_t length) {
  struct buffer text = BUFFER_EMPTY;
  unsigned random = 12345;
  assert_true(buffer_reserve(&text, length));
  for (; text.length < length; random = random * 1103515245U + 12345U) text.data[text.length++] = (char)('a' + (random >> 16) % 16);
  return text;
}

/* Unpacks it in pieces of `piece` bytes, 0: as the whole that it is; the copies are as long as the pieces, so that reading on is found out. */
static enum gunzip_result unpack(const struct buffer *packed, size_t piece, struct buffer *into, size_t most, bool *is_whole) {
  struct gunzip gunzip_state = {0};
  enum gunzip_result result = GUNZIP_OK;
  size_t step = piece == 0 ? packed->length : piece;
  for (size_t begin = 0; begin < packed->length && result == GUNZIP_OK; begin += step) {
    size_t length = packed->length - begin < step ? packed->length - begin : step;
    char *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, packed->data + begin, length);
    struct gunzip_input input = {.bytes = copy, .length = length, .is_all = piece == 0};
    do result = gunzip(&gunzip_state, &input, into, most, AT_ONCE);
    while (result == GUNZIP_MORE);
    free(copy);
  }
  *is_whole = gunzip_state.is_whole;
  gunzip_end(&gunzip_state);
  assert_false(gunzip_state.begun);
  return result;
}

static const size_t pieces[] = {0, 1, 2, 7, 100, 4096, 65536};

static void gives_back_what_was_packed(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 257, 16383, 16384, 16385, 100000, 3000000};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    struct buffer text = text_of(lengths[i]), packed = BUFFER_EMPTY;
    pack(&packed, text.data, text.length);
    for (size_t j = 0; j < COUNT(pieces); j++) {
      if (lengths[i] > 100000 && pieces[j] != 0 && pieces[j] < 4096) continue;
      struct buffer into = BUFFER_EMPTY;
      bool is_whole;
      assert_int_equal(unpack(&packed, pieces[j], &into, text.length, &is_whole), GUNZIP_OK);
      assert_true(is_whole);
      assert_int_equal(into.length, text.length);
      assert_memory_equal(into.data, text.data, text.length);
      assert_int_equal(into.data[into.length], '\0');
      buffer_free(&into);
    }
    buffer_free(&text);
    buffer_free(&packed);
  }
}

static void goes_through_all_members(void **state) {
  (void)state;
  struct buffer packed = BUFFER_EMPTY;
  pack(&packed, "one, ", 5);
  pack(&packed, "", 0);
  pack(&packed, "two", 3);
  for (size_t j = 0; j < COUNT(pieces); j++) {
    struct buffer into = BUFFER_EMPTY;
    bool is_whole;
    assert_int_equal(unpack(&packed, pieces[j], &into, UNLIMITED, &is_whole), GUNZIP_OK);
    assert_true(is_whole);
    assert_string_equal(into.data, "one, two");
    buffer_free(&into);
  }
  buffer_free(&packed);
}

/* Whatever end is missing, and whatever byte is another: no crash, and never taken for whole and right. */
static void tells_what_is_not_whole_or_broken(void **state) {
  (void)state;
  struct buffer text = text_of(2000), packed = BUFFER_EMPTY;
  pack(&packed, text.data, text.length);
  for (size_t length = 1; length < packed.length; length++)
    for (size_t j = 0; j < 2; j++) {
      struct buffer cut = {.data = packed.data, .length = length}, into = BUFFER_EMPTY;
      bool is_whole;
      assert_int_equal(unpack(&cut, pieces[j], &into, UNLIMITED, &is_whole), GUNZIP_OK);
      assert_false(is_whole);
      buffer_free(&into);
    }
  for (size_t place = 0; place < packed.length; place++) {
    if (place >= 4 && place < 10) continue; /* flags aside, the header's time and system mean nothing */
    for (size_t j = 0; j < 2; j++) {
      struct buffer into = BUFFER_EMPTY;
      bool is_whole;
      packed.data[place] ^= 0x55;
      bool is_taken = unpack(&packed, pieces[j], &into, UNLIMITED, &is_whole) == GUNZIP_OK && is_whole;
      packed.data[place] ^= 0x55;
      if (is_taken) fail_msg("byte %zu, pieces of %zu", place, pieces[j]);
      buffer_free(&into);
    }
  }
  assert_true(buffer_append(&packed, "rest", 4));
  struct buffer into = BUFFER_EMPTY;
  bool is_whole;
  assert_int_equal(unpack(&packed, 0, &into, UNLIMITED, &is_whole), GUNZIP_BROKEN);
  buffer_free(&into);
  buffer_free(&text);
  buffer_free(&packed);
}

static void stops_at_the_limit(void **state) {
  (void)state;
  enum { LENGTH = 20000000, MOST = 100000 };
  char *zeros = calloc(1, LENGTH);
  assert_non_null(zeros);
  struct buffer packed = BUFFER_EMPTY;
  pack(&packed, zeros, LENGTH);
  free(zeros);
  assert_true(packed.length * GUNZIP_GREATEST_RATIO >= LENGTH); /* no more can be made of so little */
  for (size_t j = 0; j < COUNT(pieces); j++) {
    struct buffer into = BUFFER_EMPTY;
    bool is_whole;
    assert_int_equal(unpack(&packed, pieces[j], &into, MOST, &is_whole), GUNZIP_TOO_LARGE);
    assert_true(into.capacity < 4 * MOST);
    buffer_free(&into);
  }
  /* What the trailer says is not to be believed. */
  memset(packed.data + packed.length - 4, 0xff, 4);
  struct buffer into = BUFFER_EMPTY;
  bool is_whole;
  assert_int_equal(unpack(&packed, 0, &into, UNLIMITED, &is_whole), GUNZIP_BROKEN);
  assert_true(into.capacity < 4 * LENGTH);
  buffer_free(&into);
  memset(packed.data + packed.length - 4, 0, 4);
  assert_int_equal(unpack(&packed, 0, &into, UNLIMITED, &is_whole), GUNZIP_BROKEN);
  buffer_free(&into);
  buffer_free(&packed);
}

static void stops_when_enough_was_made_at_once(void **state) {
  (void)state;
  struct buffer text = text_of(1000), packed = BUFFER_EMPTY, into = BUFFER_EMPTY;
  pack(&packed, text.data, text.length);
  struct gunzip gunzip_state = {0};
  struct gunzip_input input = {.bytes = packed.data, .length = packed.length, .is_all = true};
  for (size_t made = 300; made < 1000; made += 300) {
    assert_int_equal(gunzip(&gunzip_state, &input, &into, UNLIMITED, 300), GUNZIP_MORE);
    assert_int_equal(into.length, made);
  }
  assert_int_equal(gunzip(&gunzip_state, &input, &into, UNLIMITED, 300), GUNZIP_OK);
  assert_true(gunzip_state.is_whole);
  /* Nothing more is no further member. */
  assert_int_equal(gunzip(&gunzip_state, &input, &into, UNLIMITED, 300), GUNZIP_OK);
  assert_true(gunzip_state.is_whole);
  assert_int_equal(into.length, text.length);
  assert_memory_equal(into.data, text.data, text.length);
  gunzip_end(&gunzip_state);
  buffer_free(&text);
  buffer_free(&packed);
  buffer_free(&into);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stops_when_enough_was_made_at_once),
      cmocka_unit_test(gives_back_what_was_packed),
      cmocka_unit_test(goes_through_all_members),
      cmocka_unit_test(tells_what_is_not_whole_or_broken),
      cmocka_unit_test(stops_at_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
