#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/json/scan.h"

/* Both ways of looking at a block, the one that is built in and the portable one, side by side. */
#include "../../src/json/block.h"
enum { OWN_SIZE = BLOCK_SIZE };
#undef JSON_BLOCK_H
#undef BLOCK_SIZE
#ifndef JSON_PORTABLE
#define JSON_PORTABLE
#endif
#define block_is_plain portable_is_plain
#define block_special portable_special
#define block_nonspace portable_nonspace
#define block_equal portable_equal
#define block_first portable_first
#include "../../src/json/block.h"
#undef block_is_plain
#undef block_special
#undef block_nonspace
#undef block_equal
#undef block_first
enum { PORTABLE_SIZE = BLOCK_SIZE };

/* ======================================================================== */
/* Blocks                                                                   */
/* ======================================================================== */

/* Checks both ways on 16 bytes. */
static void check_block(const char bytes[16]) {
  unsigned special = 0, nonspace = 0, own_special = 0, own_nonspace = 0, portable_found = 0, portable_spaces = 0;
  for (unsigned i = 0; i < 16; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    special |= (unsigned)(byte < ' ' || byte >= 0x80 || byte == '"' || byte == '\\') << i;
    nonspace |= (unsigned)(byte != ' ') << i;
  }
  for (unsigned i = 0; i < 16; i += OWN_SIZE) {
    own_special |= block_special(bytes + i) << i;
    own_nonspace |= block_nonspace(bytes + i) << i;
  }
  for (unsigned i = 0; i < 16; i += PORTABLE_SIZE) {
    portable_found |= portable_special(bytes + i) << i;
    portable_spaces |= portable_nonspace(bytes + i) << i;
  }
  assert_int_equal(own_special, special);
  assert_int_equal(own_nonspace, nonspace);
  assert_int_equal(portable_found, special);
  assert_int_equal(portable_spaces, nonspace);
}

static void every_byte_at_every_place_of_a_block(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    for (int fill = 0; fill < 256; fill += fill == 0 ? 'a' : 31) {
      for (int i = 0; i < 16; i++) {
        char bytes[16];
        memset(bytes, fill, sizeof bytes);
        bytes[i] = (char)byte;
        check_block(bytes);
      }
    }
  }
}

static void random_blocks(void **state) {
  (void)state;
  srand(1);
  for (int round = 0; round < 100000; round++) {
    char bytes[16];
    for (int i = 0; i < 16; i++) bytes[i] = (char)(rand() % 3 ? "a\" \\\x1F\x80~z"[rand() % 8] : rand() % 256);
    check_block(bytes);
  }
}

static void blocks_are_equal_as_far_as_asked(void **state) {
  (void)state;
  char one[16], other[16];
  memset(one, 'x', sizeof one);
  for (size_t length = 0; length <= OWN_SIZE; length++) {
    for (size_t i = 0; i < OWN_SIZE; i++) {
      memcpy(other, one, sizeof one);
      other[i] = 'y';
      assert_int_equal(block_equal(one, other, length), i >= length);
      if (length <= PORTABLE_SIZE) assert_int_equal(portable_equal(one, other, length), i >= length);
    }
    assert_true(block_equal(one, one, length));
  }
  for (unsigned bit = 0; bit < OWN_SIZE; bit++) assert_int_equal(block_first(~0u << bit), bit);
  assert_int_equal(block_first(0), OWN_SIZE);
}

/* ======================================================================== */
/* Strings                                                                  */
/* ======================================================================== */

/* A copy of the bytes that ends where its memory does, so that a sanitizer sees any reading beyond. */
static char *exactly(const char *bytes, size_t length) {
  char *copy = malloc(length > 0 ? length : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, length);
  return copy;
}

/* Where scanning stops, or -1 and the place of the fault. */
static ptrdiff_t scan(const char *text, size_t length, ptrdiff_t *fault_at) {
  struct json_fault fault = {0};
  char *copy = exactly(text, length);
  const char *stop = json_scan_string(copy, copy + length, &fault);
  ptrdiff_t at = stop == NULL ? -1 : stop - copy;
  *fault_at = stop == NULL ? fault.at - copy : -1;
  assert_true((stop == NULL) == (fault.message != NULL));
  free(copy);
  return at;
}

static void scanning_stops_where_it_should(void **state) {
  (void)state;
  static const struct {
    const char *piece;
    ptrdiff_t stop; /* within the piece, -1: invalid */
    ptrdiff_t fault;
  } pieces[] = {
      {"\"", 0, -1},  {"\\", 0, -1},  {"\x1F", -1, 0}, {"\n", -1, 0},    {"\x80", -1, 0},           {"\xFF", -1, 0},
      {"é\"", 2, -1}, {"€\\", 3, -1}, {"😀\"", 4, -1},  {"€\xC3", -1, 3}, {"\xED\xA0\x80\"", -1, 0}, {"\x7F\"", 1, -1},
      {"", -1, 0},
  };
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    for (size_t before = 0; before < 50; before++) {
      for (size_t after = 0; after < 40; after += 13) {
        char text[200];
        size_t length = strlen(pieces[i].piece);
        if (length == 0 && after > 0) continue;
        memset(text, 'x', sizeof text);
        memcpy(text + before, pieces[i].piece, length);
        ptrdiff_t fault, stop = scan(text, before + length + after, &fault);
        assert_int_equal(stop, pieces[i].stop < 0 ? -1 : (ptrdiff_t)before + pieces[i].stop);
        assert_int_equal(fault, pieces[i].fault < 0 ? -1 : (ptrdiff_t)before + pieces[i].fault);
      }
    }
  }
}

/* The valid sequences by the table of the Unicode standard: whether four bytes begin with one, and its length. */
static size_t sequence_by_table(const unsigned char *bytes, size_t length) {
  static const struct {
    unsigned char first_from, first_to, second_from, second_to;
    size_t length;
  } rows[] = {
      {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
      {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (bytes[0] < rows[i].first_from || bytes[0] > rows[i].first_to || length < rows[i].length) continue;
    if (bytes[1] < rows[i].second_from || bytes[1] > rows[i].second_to) continue;
    for (size_t j = 2; j < rows[i].length; j++)
      if (bytes[j] < 0x80 || bytes[j] > 0xBF) return 0;
    return rows[i].length;
  }
  return 0;
}

static void utf8_is_checked_by_the_table(void **state) {
  (void)state;
  static const unsigned char later[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
  for (int first = 0x80; first < 256; first++) {
    for (int second = 0; second < 256; second++) {
      for (size_t i = 0; i < sizeof later * sizeof later; i++) {
        unsigned char bytes[] = {(unsigned char)first, (unsigned char)second, later[i / sizeof later], later[i % sizeof later]};
        for (size_t length = 1; length <= 4; length++)
          assert_int_equal(json_sequence_length((const char *)bytes, (const char *)bytes + length),
                           sequence_by_table(bytes, length));
      }
    }
  }
}

/* Unescapes the string, whose closing quote is in text, in steps of so much room. Gives its length, or -1. */
static ptrdiff_t unescape(const char *text, size_t length, char *unescaped, size_t room) {
  struct json_fault fault = {0};
  char *copy = exactly(text, length), *to = unescaped, *chunk = malloc(room);
  const char *from = copy;
  enum json_unescaped result;
  assert_non_null(chunk);
  do {
    char *chunk_to = chunk;
    result = json_unescape(&from, copy + length, &chunk_to, chunk + room, &fault);
    assert_true(chunk_to <= chunk + room);
    memcpy(to, chunk, (size_t)(chunk_to - chunk));
    to += chunk_to - chunk;
  } while (result == JSON_NO_ROOM);
  if (result == JSON_UNESCAPED)
    assert_int_equal(*from, '"');
  else
    assert_non_null(fault.message);
  free(copy);
  free(chunk);
  return result == JSON_UNESCAPED ? to - unescaped : -1;
}

static void escapes_at_every_place_in_any_room(void **state) {
  (void)state;
  static const struct {
    const char *escaped, *meant;
    size_t length;
  } pieces[] = {
      {"\\n", "\n", 1},
      {"\\\"", "\"", 1},
      {"\\\\", "\\", 1},
      {"\\/", "/", 1},
      {"\\u0000", "\0", 1},
      {"\\u0041", "A", 1},
      {"\\u00e9", "é", 2},
      {"\\u20AC", "€", 3},
      {"\\ud83d\\uDE00", "😀", 4},
      {"é", "é", 2},
      {"€", "€", 3},
      {"😀", "😀", 4},
      {"\\b\\f\\r\\t", "\b\f\r\t", 4},
      {"\\uDBFF\\uDFFF", "\xF4\x8F\xBF\xBF", 4},
      {"\\uFFFF", "\xEF\xBF\xBF", 3},
      {"\\uD800", "\xEF\xBF\xBD", 3},
      {"\\uDC00", "\xEF\xBF\xBD", 3},
      {"\\uD800\\uD800", "\xEF\xBF\xBD\xEF\xBF\xBD", 6},
      {"x\\uDC00\\uD800", "x\xEF\xBF\xBD\xEF\xBF\xBD", 7},
      {"\\uD800\\n", "\xEF\xBF\xBD\n", 4},
      {"\\uD800\\u0041", "\xEF\xBF\xBD" "A", 4},
      {"\\uD800\\uE000", "\xEF\xBF\xBD\xEE\x80\x80", 6},
      {"\\uD800\\ud83d\\uDE00", "\xEF\xBF\xBD😀", 7},
  };
  static const size_t rooms[] = {JSON_UNESCAPE_ROOM, 17, 20, 35, 36, 40, 64, 500};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    for (size_t before = 0; before < 40; before++) {
      for (size_t times = 1; times < 4; times++) {
        char text[400], expected[400], found[400];
        size_t length = before, meant = before;
        memset(text, 'x', before);
        memset(expected, 'x', before);
        for (size_t j = 0; j < times; j++) {
          memcpy(text + length, pieces[i].escaped, strlen(pieces[i].escaped));
          length += strlen(pieces[i].escaped);
          memcpy(expected + meant, pieces[i].meant, pieces[i].length);
          meant += pieces[i].length;
          memset(text + length, 'y', 7 * j);
          memset(expected + meant, 'y', 7 * j);
          length += 7 * j;
          meant += 7 * j;
        }
        text[length++] = '"';
        for (size_t j = 0; j < sizeof rooms / sizeof *rooms; j++) {
          assert_int_equal(unescape(text, length, found, rooms[j]), meant);
          assert_memory_equal(found, expected, meant);
        }
        for (size_t cut = 0; cut < length; cut++) assert_int_equal(unescape(text, cut, found, 64), -1);
      }
    }
  }
}

static void invalid_escapes_are_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "\\x\"",
      "\\u\"",
      "\\u12\"",
      "\\u123g\"",
      "\\a\"",
      "\\U0041\"",
      "\\u 041\"",
      "\\uD800\\u\"",
      "\\uD800\\uDC0\"",
      "\\uD800\\x\"",
      "\\u+041\"",
      "\\\n\"",
      "\\\xFF",
      "\\n\x1F\"",
      "\\n\x80\"",
      "\\n\xED\xA0\x80\"",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    for (size_t before = 0; before < 40; before++) {
      char text[100], found[100];
      memset(text, 'x', sizeof text);
      memcpy(text + before, texts[i], strlen(texts[i]));
      assert_int_equal(unescape(text, before + strlen(texts[i]), found, 64), -1);
      assert_int_equal(unescape(text, before + strlen(texts[i]) + 40, found, 64), -1);
    }
  }
}

/* ======================================================================== */
/* Members                                                                  */
/* ======================================================================== */

static void members_are_found(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int found;
    enum json_kind kind;
    const char *value;
  } rows[] = {
      {"{\"a\":1}", 1, JSON_NUMBER, "1"},
      {" { \"b\" : [1,{\"a\":2}] , \"a\" : \"x\" } ", 1, JSON_STRING, "\"x\""},
      {"{\"a\":1,\"a\":[2, 3]}", 1, JSON_ARRAY, "[2, 3]"},
      {"{\"\\u0061\":null}", 1, JSON_NULL, "null"},
      {"{\"a\":{\"a\":true}}", 1, JSON_OBJECT, "{\"a\":true}"},
      {"\xEF\xBB\xBF{\"a\":false}", 1, JSON_BOOLEAN, "false"},
      {"{\"a\":-1.5e+3}", 1, JSON_NUMBER, "-1.5e+3"},
      {"{}", 0, 0, NULL},
      {"{\"aa\":1,\"\":2,\"A\":3}", 0, 0, NULL},
      {"{\"b\":{\"a\":1}}", 0, 0, NULL},
      {"", -1, 0, NULL},
      {"[]", -1, 0, NULL},
      {"{\"a\":1", -1, 0, NULL},
      {"{\"a\":1}}", -1, 0, NULL},
      {"{\"a\":1,}", -1, 0, NULL},
      {"{\"a\":01}", -1, 0, NULL},
      {"{\"a\":1,\"b\":nul}", -1, 0, NULL},
      {"{\"a\":1,\"b\":\"\xFF\"}", -1, 0, NULL},
      {"{\"a\":1,\"b\":[}", -1, 0, NULL},
      {"{\"a\":1,\"b\":[1 2]}", -1, 0, NULL},
      {"{\"\\uD800\":2,\"a\":\"\\uD800\"}", 1, JSON_STRING, "\"\\uD800\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct json_member member;
    size_t length = strlen(rows[i].text);
    char *text = exactly(rows[i].text, length);
    assert_int_equal(json_find_member(text, length, "a", &member), rows[i].found);
    if (rows[i].found == 1) {
      assert_int_equal(member.kind, rows[i].kind);
      assert_int_equal(member.length, strlen(rows[i].value));
      assert_memory_equal(member.text, rows[i].value, member.length);
    }
    free(text);
  }
}

static void members_of_long_names_and_deep_values(void **state) {
  (void)state;
  char text[3000], name[JSON_MAX_NAME + 1];
  struct json_member member;
  memset(name, 'n', JSON_MAX_NAME);
  name[JSON_MAX_NAME] = '\0';
  int length = snprintf(text, sizeof text, "{\"%sn\":1,\"%s\":2}", name, name);
  assert_int_equal(json_find_member(text, (size_t)length, name, &member), 1);
  assert_int_equal(*member.text, '2');
  for (size_t depth = JSON_MAX_DEPTH - 2; depth <= JSON_MAX_DEPTH; depth++) {
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', depth);
    memset(text + 5 + depth, ']', depth);
    text[5 + 2 * depth] = '}';
    assert_int_equal(json_find_member(text, 6 + 2 * depth, "a", &member), depth < JSON_MAX_DEPTH ? 1 : -1);
  }
}

static void strings_of_members(void **state) {
  (void)state;
  struct json_member member;
  static const char text[] = "{\"a\":\"x\\n\\u20ac\\u0000y\",\"b\":1,\"c\":\"\"}";
  size_t length;
  assert_int_equal(json_find_member(text, sizeof text - 1, "a", &member), 1);
  char *string = json_member_string(&member, &length);
  assert_int_equal(length, 7);
  assert_memory_equal(string, "x\n€\0y", 8);
  free(string);
  assert_int_equal(json_find_member(text, sizeof text - 1, "c", &member), 1);
  string = json_member_string(&member, NULL);
  assert_string_equal(string, "");
  free(string);
  assert_int_equal(json_find_member(text, sizeof text - 1, "b", &member), 1);
  assert_null(json_member_string(&member, &length));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_byte_at_every_place_of_a_block),  cmocka_unit_test(random_blocks),
      cmocka_unit_test(blocks_are_equal_as_far_as_asked),      cmocka_unit_test(scanning_stops_where_it_should),
      cmocka_unit_test(utf8_is_checked_by_the_table),          cmocka_unit_test(escapes_at_every_place_in_any_room),
      cmocka_unit_test(invalid_escapes_are_refused),           cmocka_unit_test(members_are_found),
      cmocka_unit_test(members_of_long_names_and_deep_values), cmocka_unit_test(strings_of_members),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
