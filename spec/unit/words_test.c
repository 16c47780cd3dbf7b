/* What is made of the lines that libcurl's versions write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/words.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void lines_are_understood_as_every_version_writes_them(void **state) {
  (void)state;
  static const struct {
    const char *line;
    enum words words;
    uint32_t number;
  } rows[] = {
      {"Using Stream ID: 7 (easy handle 0x55f88310e780)\n", WORDS_STREAM_OPENED,
       7},                                                                      /* 7.87 to 8.1 */
      {"Using Stream ID: 3\n", WORDS_STREAM_OPENED, 3},                         /* 8.2 */
      {"[HTTP/2] [1] OPENED stream for https://h/x\n", WORDS_STREAM_OPENED, 1}, /* since 8.3 */
      {"recveived GOAWAY, error=0, last_stream=5\n", WORDS_GOAWAY, 5},          /* 7.88 to 8.0 */
      {"received GOAWAY, error=0, last_stream=5\n", WORDS_GOAWAY, 5},           /* since 8.1 */
      {"received GOAWAY, error=-2, last_stream=0\n", WORDS_GOAWAY, 0},
      {"received GOAWAY, error=4294967294, last_stream=2147483647\n", WORDS_GOAWAY, INT32_MAX},
      {"REFUSED_STREAM, retrying a fresh connect\n", WORDS_STREAM_REFUSED, 0},
      {"Connection died, retrying a fresh connect (retry count: 1)\n", WORDS_RETRYING, 0},
      {"TLSv1.3 (IN), TLS handshake, Server hello (2):\n", WORDS_TLS_MESSAGE, 0},
      {"TLSv1.2 (IN), TLS alert, close notify (256):\n", WORDS_TLS_GOODBYE, 0},
      {"TLSv1.3 (IN), TLS alert, close notify (256):\n", WORDS_TLS_GOODBYE, 0},
      /* No news, or not ours. */
      {"TLSv1.3 (OUT), TLS alert, close notify (256):\n", WORDS_OTHER, 0},
      {"TLSv1.3 (OUT), TLS handshake, Client hello (1):\n", WORDS_OTHER, 0},
      {"TLSv1.3 (IN), TLS alert, unknown CA (560):\n", WORDS_OTHER, 0},
      {"TLSv1.3\n", WORDS_OTHER, 0},
      {"[HTTP/2] [1] [x: OPENED stream]\n", WORDS_OTHER, 0},
      {"[HTTP/2] [1] [:path: /received GOAWAY, error=0, last_stream=0]\n", WORDS_OTHER, 0},
      {"[HTTP/2] [] OPENED stream\n", WORDS_OTHER, 0},
      {"Using Stream ID: -1 (easy handle 0x1)\n", WORDS_OTHER, 0},
      {"Using Stream ID: 4294967297\n", WORDS_OTHER, 0},
      {"received GOAWAY, error=0, last_stream=-1\n", WORDS_OTHER, 0},
      {"received GOAWAY, error=0, last_stream=99999999999999999999999\n", WORDS_OTHER, 0},
      {"received GOAWAY, error=\n", WORDS_OTHER, 0},
      {"server said: received GOAWAY, error=0, last_stream=5\n", WORDS_OTHER, 0},
      {"Connection died, tried 5 times before giving up\n", WORDS_OTHER, 0},
      {"", WORDS_OTHER, 0},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    uint32_t number = 0;
    enum words words = words_read(rows[i].line, strlen(rows[i].line), &number);
    if (words != rows[i].words) fail_msg("%s", rows[i].line);
    if (words == WORDS_GOAWAY || words == WORDS_STREAM_OPENED)
      assert_int_equal(number, rows[i].number);
  }
}

static void a_line_that_is_cut_off_is_not_read_beyond_its_end(void **state) {
  (void)state;
  static const char goaway[] = "received GOAWAY, error=0, last_stream=57";
  uint32_t number = 0;
  for (size_t length = 0; length < strlen("received GOAWAY, error=0, last_stream=5"); length++)
    assert_int_equal(words_read(goaway, length, &number), WORDS_OTHER);
  assert_int_equal(words_read(goaway, sizeof goaway - 2, &number), WORDS_GOAWAY);
  assert_int_equal(number, 5);
  static const char goodbye[] = "TLSv1.3 (IN), TLS alert, close notify";
  for (size_t length = 0; length < sizeof goodbye - 1; length++)
    assert_int_equal(words_read(goodbye, length, &number), WORDS_OTHER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_understood_as_every_version_writes_them),
      cmocka_unit_test(a_line_that_is_cut_off_is_not_read_beyond_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
