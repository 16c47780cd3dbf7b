#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/blemish.h"

static void blemishes_are_found(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum blemish blemish;
  } rows[] = {
      {"", BLEMISH_NONE},
      {"a", BLEMISH_NONE},
      {"a b\"c'", BLEMISH_NONE},
      {"Größe € 😀", BLEMISH_NONE},
      {"\"", BLEMISH_NONE},
      {"\"a", BLEMISH_NONE},
      {"'a\"", BLEMISH_NONE},
      {" ", BLEMISH_ENDS},
      {" a", BLEMISH_ENDS},
      {"a ", BLEMISH_ENDS},
      {"a\n", BLEMISH_CONTROL},
      {"\x7F", BLEMISH_CONTROL},
      {"a\xC2\x80", BLEMISH_CONTROL},
      {"a\xC2\x9F", BLEMISH_CONTROL},
      {"a\xC2\xA0", BLEMISH_SPACE},
      {"a\xC2\xA1", BLEMISH_NONE},
      {"\xEF\xBB\xBF"
       "a",
       BLEMISH_MARK},
      {"a\xE2\x80\x8B", BLEMISH_INVISIBLE},
      {"\xF3\xA0\x80\x81", BLEMISH_INVISIBLE},
      {"\"\"", BLEMISH_QUOTES},
      {"'a'", BLEMISH_QUOTES},
      {"“a”", BLEMISH_QUOTES},
      {"<a>", BLEMISH_QUOTES},
      {"a\xFF", BLEMISH_ENCODING},
      {"\xC2", BLEMISH_ENCODING},
      {"\xFF\n", BLEMISH_CONTROL},
      {"\xFF ", BLEMISH_ENDS},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(blemish_find(rows[i].text, strlen(rows[i].text)), rows[i].blemish);
  assert_int_equal(blemish_find("a\0b", 3), BLEMISH_CONTROL);
}

static void each_has_its_words(void **state) {
  (void)state;
  assert_null(blemish_words(BLEMISH_NONE));
  for (enum blemish blemish = BLEMISH_CONTROL; blemish <= BLEMISH_ENCODING; blemish++) {
    assert_non_null(blemish_words(blemish));
    for (enum blemish other = BLEMISH_CONTROL; other < blemish; other++)
      assert_string_not_equal(blemish_words(blemish), blemish_words(other));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(blemishes_are_found), cmocka_unit_test(each_has_its_words)};
  return cmocka_run_group_tests_name("blemish", tests, NULL, NULL);
}
