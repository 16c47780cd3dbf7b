/* A compressed body that is long to unpack: in pieces that are short, so that the timers beside it keep their time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/transfer.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A processor that has a fifth of its time for it takes no longer than a tenth of a second over so much. */
#define MOST_AT_ONCE ((size_t)4 << 20)

/* A gzip member that holds so many spaces. */
static struct buffer packed_spaces(size_t length) {
  struct buffer packed = BUFFER_EMPTY;
  z_stream stream = {0};
  char *spaces = malloc(length);
  assert_non_null(spaces);
  memset(spaces, ' ', length);
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  size_t room = deflateBound(&stream, (uLong)length);
  assert_true(buffer_reserve(&packed, room));
  stream.next_in = (z_const Bytef *)spaces;
  stream.avail_in = (uInt)length;
  stream.next_out = (Bytef *)packed.data;
  stream.avail_out = (uInt)room;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.length = room - stream.avail_out;
  deflateEnd(&stream);
  free(spaces);
  return packed;
}

static void unpacks_little_at_once(void **state) {
  (void)state;
  static const size_t lengths[] = {1000, 3 << 20, 15 << 20, 40 << 20};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    struct transfer transfer = {.packed = packed_spaces(lengths[i]), .max_response_bytes = (size_t)1 << 30};
    size_t before = 0;
    bool is_over;
    do {
      is_over = transfer_unpack(&transfer);
      assert_true(transfer.reply_body.length - before <= MOST_AT_ONCE);
      before = transfer.reply_body.length;
    } while (!is_over);
    assert_int_equal(transfer.reply_body.length, lengths[i]);
    assert_null(transfer.body_failure);
    transfer_free(&transfer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unpacks_little_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
