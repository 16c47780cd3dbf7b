#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/text.h"

/* The lone code point of a string literal, or TEXT_INVALID; the cursor must follow. */
static uint32_t only(const char *text, size_t length) {
  const char *cursor = text;
  uint32_t code = text_next(&cursor, text + length);
  assert_ptr_equal(cursor, code == TEXT_INVALID ? text : text + length);
  return code;
}
#define ONLY(literal) only(literal, sizeof(literal) - 1)

static void the_edges_of_each_length_are_decoded(void **state) {
  (void)state;
  assert_int_equal(ONLY("\x00"), 0);
  assert_int_equal(ONLY("\x7F"), 0x7F);
  assert_int_equal(ONLY("\xC2\x80"), 0x80);
  assert_int_equal(ONLY("\xDF\xBF"), 0x7FF);
  assert_int_equal(ONLY("\xE0\xA0\x80"), 0x800);
  assert_int_equal(ONLY("\xED\x9F\xBF"), 0xD7FF);
  assert_int_equal(ONLY("\xEE\x80\x80"), 0xE000);
  assert_int_equal(ONLY("\xEF\xBF\xBF"), 0xFFFF);
  assert_int_equal(ONLY("\xF0\x90\x80\x80"), 0x10000);
  assert_int_equal(ONLY("\xF4\x8F\xBF\xBF"), 0x10FFFF);
}

static void what_is_not_well_formed_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "\x80",             /* no lead byte */
      "\xBF",             /* no lead byte */
      "\xC0\x80",         /* NUL in two bytes */
      "\xC1\xBF",         /* overlong */
      "\xE0\x9F\xBF",     /* overlong */
      "\xF0\x8F\xBF\xBF", /* overlong */
      "\xED\xA0\x80",     /* surrogates */
      "\xED\xBF\xBF",     /* surrogates */
      "\xF4\x90\x80\x80", /* past U+10FFFF */
      "\xF8\x88\x80\x80\x80",
      "\xFE",
      "\xFF",
      "\xC3",         /* cut short */
      "\xE2\x82",     /* cut short */
      "\xF0\x9F\x98", /* cut short */
      "\xC3\x28",     /* a wrong second byte */
      "\xE2\x28\xA1", /* a wrong second byte */
      "\xE2\x82\x28", /* a wrong third byte */
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    const char *cursor = texts[i];
    size_t length = strlen(texts[i]);
    assert_int_equal(text_next(&cursor, texts[i] + length), TEXT_INVALID);
    assert_ptr_equal(cursor, texts[i]);
    assert_false(text_is_utf8(texts[i], length));
  }
}

static void utf8_is_known_as_a_whole(void **state) {
  (void)state;
  assert_true(text_is_utf8("", 0));
  assert_true(text_is_utf8("Gr\xC3\xB6\xC3\x9F" "e \xF0\x9F\x98\x80", 12));
  assert_false(text_is_utf8("Gr\xF6\xDF" "e", 5));
  assert_false(text_is_utf8("Gr\xC3\xB6", 3));
}

static void control_characters_are_found(void **state) {
  (void)state;
  assert_false(text_has_control("", 0));
  assert_false(text_has_control(" ~\xC2\x80\xFF", 5));
  assert_true(text_has_control("a\0b", 3));
  assert_true(text_has_control("a\r", 2));
  assert_true(text_has_control("\nb", 2));
  assert_true(text_has_control("\t", 1));
  assert_true(text_has_control("\x1F", 1));
  assert_true(text_has_control("\x7F", 1));
}

static void a_guid_is_known_by_its_form(void **state) {
  (void)state;
  assert_true(text_is_guid("a0b1c2d3-4567-89ab-cdef-0123456789ab", 36));
  assert_true(text_is_guid("A0B1C2D3-4567-89AB-CDEF-0123456789AB", 36));
  assert_false(text_is_guid("", 0));
  assert_false(text_is_guid("a0b1c2d3-4567-89ab-cdef-0123456789a", 35));
  assert_false(text_is_guid("a0b1c2d3-4567-89ab-cdef-0123456789abc", 37));
  assert_false(text_is_guid("a0b1c2d3-4567-89ab-cdef-0123456789ag", 36));
  assert_false(text_is_guid("a0b1c2d34-567-89ab-cdef-0123456789ab", 36));
  assert_false(text_is_guid("a0b1c2d3.4567-89ab-cdef-0123456789ab", 36));
}

/* Writes a code point as UTF-8, surrogates too; gives the length. */
static size_t encode(uint32_t code, char *to) {
  static const unsigned char leads[] = {0x00, 0xC0, 0xE0, 0xF0};
  size_t following = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  to[0] = (char)(leads[following] | code >> 6 * following);
  for (size_t i = 1; i <= following; i++) to[i] = (char)(0x80 | (code >> 6 * (following - i) & 0x3F));
  return following + 1;
}

static void every_code_point_is_decoded_and_none_from_less(void **state) {
  (void)state;
  for (uint32_t code = 0; code <= 0x1FFFFF; code++) {
    char text[4];
    size_t length = encode(code, text);
    bool is_valid = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (only(text, length) != (is_valid ? code : TEXT_INVALID)) fail_msg("U+%04X", (unsigned)code);
    for (size_t part = 1; part < length; part++) assert_true(only(text, part) == TEXT_INVALID);
  }
}

static void only_the_first_code_point_is_taken(void **state) {
  (void)state;
  static const char text[] = "\xC3\xA4" "b\xE2\x82\xAC\x80";
  const char *cursor = text, *end = text + sizeof text - 1;
  assert_int_equal(text_next(&cursor, end), 0xE4);
  assert_int_equal(text_next(&cursor, end), 'b');
  assert_int_equal(text_next(&cursor, end), 0x20AC);
  assert_int_equal(text_next(&cursor, end), TEXT_INVALID);
  assert_ptr_equal(cursor, end - 1);
}

static void letters_and_digits_are_those_of_ascii(void **state) {
  (void)state;
  for (int c = -128; c < 128; c++) {
    assert_int_equal(text_is_digit((char)c), c > 0 && strchr("0123456789", c) != NULL);
    assert_int_equal(text_is_letter((char)c),
                     c > 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c) != NULL);
  }
}

static void every_control_character_is_found_anywhere(void **state) {
  (void)state;
  for (int c = 0; c < 256; c++)
    for (size_t place = 0; place < 3; place++) {
      char text[] = "xxx";
      text[place] = (char)c;
      assert_int_equal(text_has_control(text, 3), c < 32 || c == 127);
      assert_false(text_has_control(text, place));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_edges_of_each_length_are_decoded),
      cmocka_unit_test(what_is_not_well_formed_is_refused),
      cmocka_unit_test(utf8_is_known_as_a_whole),
      cmocka_unit_test(control_characters_are_found),
      cmocka_unit_test(a_guid_is_known_by_its_form),
      cmocka_unit_test(every_code_point_is_decoded_and_none_from_less),
      cmocka_unit_test(only_the_first_code_point_is_taken),
      cmocka_unit_test(letters_and_digits_are_those_of_ascii),
      cmocka_unit_test(every_control_character_is_found_anywhere),
  };
  return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
