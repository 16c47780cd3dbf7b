/* What a download makes of answers, by their headers: what it asks for next, and what becomes of what has come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/download.h"
#include "../../src/engine/transfer.h"

static char path[64];

static int begin(void **state) {
  (void)state;
  char name[] = "/tmp/uipath-download.XXXXXX";
  int descriptor = mkstemp(name);
  if (descriptor < 0) return -1;
  close(descriptor);
  strcpy(path, name);
  return 0;
}

static int end(void **state) {
  (void)state;
  return unlink(path);
}

/* One answer: its headers and bytes, and how the transfer ended. Gives how the download says that it did. */
static struct transfer_end answer(struct download *download, int status, const char *headers, const char *body, bool is_whole) {
  struct transfer transfer = {0};
  struct transfer_end how = {.outcome = is_whole ? RETRY_RESPONSE : RETRY_BROKEN,
                             .error = is_whole ? CALL_OK : CALL_NETWORK,
                             .status = is_whole ? status : 0,
                             .retry_after_ms = -1};
  assert_true(download_begin(download, download->looks));
  assert_true(buffer_append_string(&transfer.reply_headers, headers));
  if (body[0] != '\0') {
    enum download_result result = download_take(download, &transfer, status, body, strlen(body));
    if (result == DOWNLOAD_FOR_MEMORY) assert_true(buffer_append_string(&transfer.reply_body, body));
    if (result == DOWNLOAD_STOPS)
      how = (struct transfer_end){.outcome = RETRY_BROKEN, .error = CALL_NETWORK, .retry_after_ms = -1};
  }
  download_finish(download, &transfer, &how);
  buffer_free(&transfer.reply_headers);
  buffer_free(&transfer.reply_body);
  return how;
}

static const char *content(void) {
  static char text[64];
  FILE *file = fopen(path, "rb");
  size_t length = fread(text, 1, sizeof text - 1, file);
  text[length] = '\0';
  fclose(file);
  return text;
}

#define DATE "Date: Wed, 25 Nov 2026 12:00:00 GMT\r\n"

/* By what the rest is asked for after an answer that broke. */
static void asks_for_the_rest_of_the_very_same_file_alone(void **state) {
  (void)state;
  static const struct {
    const char *headers, *validator;
  } rows[] = {
      {"ETag: \"abc\"\r\n", "\"abc\""},
      {"ETag: W/\"abc\"\r\n", ""},
      {"ETag: abc\r\n", ""},
      {"ETag: W/\"abc\"\r\nLast-Modified: Wed, 25 Nov 2026 11:00:00 GMT\r\n" DATE, ""},
      {"ETag: \"abc\"\r\nLast-Modified: Wed, 25 Nov 2026 11:00:00 GMT\r\n" DATE, "\"abc\""},
      {"Last-Modified: Wed, 25 Nov 2026 11:59:59 GMT\r\n" DATE, "Wed, 25 Nov 2026 11:59:59 GMT"},
      {"Last-Modified: Wed, 25 Nov 2026 12:00:00 GMT\r\n" DATE, ""},
      {"Last-Modified: Wed, 25 Nov 2026 12:00:00 GMT\r\n", "Wed, 25 Nov 2026 12:00:00 GMT"},
      {"Last-Modified: yesterday\r\n", ""},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct download *download = download_new(path);
    assert_int_equal(answer(download, 200, rows[i].headers, "abcdef", false).outcome, RETRY_BROKEN);
    assert_true(download_begin(download, false));
    assert_string_equal(download->validator, rows[i].validator);
    assert_int_equal(download->asked_for_rest, rows[i].validator[0] != '\0');
    assert_int_equal(download->sink.length, rows[i].validator[0] != '\0' ? 6 : 0);
    download_release(download);
  }
}

/* What comes after six bytes of a file of ten had come, and its ETag. */
static void takes_nothing_but_the_rest(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *headers, *body;
    const char *content; /* NULL: it begins anew */
    bool is_thrown_away;
  } rows[] = {
      {206, "Content-Range: bytes 6-9/10\r\n", "ghij", "abcdefghij", false},
      {206, "Content-Range: bytes 6-9/10\r\nETag: \"v\"\r\n", "ghij", "abcdefghij", false},
      {206, "Content-Range: bytes 6-9/*\r\n", "ghij", "abcdefghij", false},
      {206, "CONTENT-RANGE: BYTES 6-9/10\r\n", "ghij", "abcdefghij", false},
      {206, "Content-Range: bytes 6-9/10\r\nETag: \"w\"\r\n", "ghij", NULL, true},
      {206, "Content-Range: bytes 6-9/10\r\nETag: W/\"v\"\r\n", "ghij", NULL, true},
      {206, "Content-Range: bytes 5-9/10\r\n", "fghij", NULL, true},
      {206, "Content-Range: bytes 6-10/11\r\n", "ghijk", NULL, true},
      {206, "Content-Range: bytes 6-5/10\r\n", "ghij", NULL, true},
      {206, "Content-Range: bytes */10\r\n", "ghij", NULL, true},
      {206, "Content-Range: 6-9/10\r\n", "ghij", NULL, true},
      {206, "Content-Range: bytes 6-9\r\n", "ghij", NULL, true},
      {206, "Content-Range: bytes 99999999999999999999-9/10\r\n", "ghij", NULL, true},
      {206, "Content-Type: multipart/byteranges\r\n", "ghij", NULL, true},
      {206, "", "ghij", NULL, true},
      {200, "", "other", "other", false},
      {200, "Content-Length: 5\r\n", "other", "other", false},
      {416, "Content-Range: bytes */6\r\n", "", "abcdef", false},
      {416, "Content-Range: bytes */5\r\n", "", NULL, true},
      {416, "", "", NULL, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct download *download = download_new(path);
    answer(download, 200, "ETag: \"v\"\r\nContent-Length: 10\r\n", "abcdef", false);
    struct transfer_end how = answer(download, rows[i].status, rows[i].headers, rows[i].body, true);
    if (rows[i].content != NULL) {
      assert_int_equal(how.outcome, RETRY_RESPONSE);
      assert_int_equal(how.status / 100, 2);
      assert_string_equal(content(), rows[i].content);
    } else {
      assert_int_equal(how.outcome, RETRY_BROKEN);
      assert_non_null(how.message);
      assert_true(download_begin(download, false));
      assert_false(download->asked_for_rest);
      assert_int_equal(download->sink.length, 0);
    }
    download_release(download);
  }
}

static void is_not_whole_before_all_has_come(void **state) {
  (void)state;
  struct download *download = download_new(path);
  answer(download, 200, "ETag: \"v\"\r\nContent-Length: 10\r\n", "abcdef", false);
  assert_true(download_has_advanced(download));
  assert_false(download_has_advanced(download));
  /* A part of the rest. */
  struct transfer_end how = answer(download, 206, "Content-Range: bytes 6-7/10\r\n", "gh", true);
  assert_int_equal(how.outcome, RETRY_BROKEN);
  assert_true(download_has_advanced(download));
  how = answer(download, 206, "Content-Range: bytes 8-9/10\r\n", "ij", true);
  assert_int_equal(how.outcome, RETRY_RESPONSE);
  assert_string_equal(content(), "abcdefghij");
  download_release(download);
}

static void a_part_that_was_not_asked_for_is_no_file(void **state) {
  (void)state;
  struct download *download = download_new(path);
  struct transfer_end how = answer(download, 206, "Content-Range: bytes 6-7/10\r\n", "gh", true);
  assert_int_equal(how.outcome, RETRY_PERMANENT);
  assert_int_equal(how.error, CALL_NETWORK);
  download_release(download);
}

static void errors_are_not_written(void **state) {
  (void)state;
  struct download *download = download_new(path);
  answer(download, 200, "ETag: \"v\"\r\n", "abcdef", false);
  struct transfer_end how = answer(download, 403, "", "no", true);
  assert_int_equal(how.status, 403);
  assert_int_equal(download->place, DOWNLOAD_IN_MEMORY);
  assert_int_equal(download->sink.length, 6); /* another address may go on */
  assert_string_equal(content(), "");
  download_release(download);
}

static void looks_at_what_may_be_an_access_object(void **state) {
  (void)state;
  static const struct {
    const char *headers;
    enum download_place place;
  } rows[] = {
      {"Content-Type: application/json\r\n", DOWNLOAD_LOOKED_AT},
      {"Content-Type: application/json;odata.metadata=minimal\r\n", DOWNLOAD_LOOKED_AT},
      {"Content-Type: APPLICATION/JSON\r\n", DOWNLOAD_LOOKED_AT},
      {"Content-Type: application/jsonl\r\n", DOWNLOAD_IN_FILE},
      {"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", DOWNLOAD_IN_FILE},
      {"Content-Type: text/html; charset=utf-8\r\n", DOWNLOAD_IN_MEMORY},
      {"Content-Type: text/html\r\nContent-Disposition: attachment\r\n", DOWNLOAD_IN_FILE},
      {"Content-Type: application/octet-stream\r\n", DOWNLOAD_IN_FILE},
      {"", DOWNLOAD_IN_FILE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct download *download = download_new(path);
    download->looks = true;
    answer(download, 200, rows[i].headers, "{}", true);
    assert_int_equal(download->place, rows[i].place);
    download_release(download);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(asks_for_the_rest_of_the_very_same_file_alone, begin, end),
      cmocka_unit_test_setup_teardown(takes_nothing_but_the_rest, begin, end),
      cmocka_unit_test_setup_teardown(is_not_whole_before_all_has_come, begin, end),
      cmocka_unit_test_setup_teardown(a_part_that_was_not_asked_for_is_no_file, begin, end),
      cmocka_unit_test_setup_teardown(errors_are_not_written, begin, end),
      cmocka_unit_test_setup_teardown(looks_at_what_may_be_an_access_object, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
