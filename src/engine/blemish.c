#include "blemish.h"

#include <stdbool.h>
#include <string.h>

#include "text.h"

struct range {
  uint32_t first, last;
  enum blemish blemish;
};

/* In the order of code points. */
static const struct range ranges[] = {
    {0x0000, 0x001F, BLEMISH_CONTROL},   {0x007F, 0x009F, BLEMISH_CONTROL},   {0x00A0, 0x00A0, BLEMISH_SPACE},
    {0x00AD, 0x00AD, BLEMISH_INVISIBLE}, {0x034F, 0x034F, BLEMISH_INVISIBLE}, {0x061C, 0x061C, BLEMISH_INVISIBLE},
    {0x115F, 0x1160, BLEMISH_INVISIBLE}, {0x1680, 0x1680, BLEMISH_SPACE},     {0x17B4, 0x17B5, BLEMISH_INVISIBLE},
    {0x180B, 0x180F, BLEMISH_INVISIBLE}, {0x2000, 0x200A, BLEMISH_SPACE},     {0x200B, 0x200F, BLEMISH_INVISIBLE},
    {0x2028, 0x2029, BLEMISH_CONTROL},   {0x202A, 0x202E, BLEMISH_INVISIBLE}, {0x202F, 0x202F, BLEMISH_SPACE},
    {0x205F, 0x205F, BLEMISH_SPACE},     {0x2060, 0x206F, BLEMISH_INVISIBLE}, {0x3000, 0x3000, BLEMISH_SPACE},
    {0x3164, 0x3164, BLEMISH_INVISIBLE}, {0xFE00, 0xFE0F, BLEMISH_INVISIBLE}, {0xFEFF, 0xFEFF, BLEMISH_MARK},
    {0xFFA0, 0xFFA0, BLEMISH_INVISIBLE}, {0xFFF9, 0xFFFB, BLEMISH_INVISIBLE}, {0xE0000, 0xE0FFF, BLEMISH_INVISIBLE},
};

static enum blemish of_character(uint32_t code) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges && ranges[i].first <= code; i++)
    if (code <= ranges[i].last) return ranges[i].blemish;
  return BLEMISH_NONE;
}

/* Whether the text begins with one of these pairs and ends with the other, with something in between or not. */
static bool is_quoted(const char *text, size_t length) {
  static const char *const pairs[][2] = {{"\"", "\""}, {"'", "'"}, {"`", "`"}, {"“", "”"},
                                         {"„", "“"},   {"‘", "’"}, {"«", "»"}, {"<", ">"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    size_t opening = strlen(pairs[i][0]), closing = strlen(pairs[i][1]);
    if (length >= opening + closing && memcmp(text, pairs[i][0], opening) == 0 &&
        memcmp(text + length - closing, pairs[i][1], closing) == 0)
      return true;
  }
  return false;
}

enum blemish blemish_find(const char *text, size_t length) {
  const char *cursor = text, *end = text + length;
  bool is_text = true;
  while (cursor < end) {
    uint32_t code = text_next(&cursor, end);
    if (code == TEXT_INVALID) {
      is_text = false;
      cursor++;
      continue;
    }
    enum blemish blemish = of_character(code);
    if (blemish != BLEMISH_NONE) return blemish;
  }
  if (length > 0 && (text[0] == ' ' || text[length - 1] == ' ')) return BLEMISH_ENDS;
  if (is_quoted(text, length)) return BLEMISH_QUOTES;
  return is_text ? BLEMISH_NONE : BLEMISH_ENCODING;
}

const char *blemish_words(enum blemish blemish) {
  switch (blemish) {
    case BLEMISH_NONE:
      break;
    case BLEMISH_CONTROL:
      return "contain control characters, such as a line end";
    case BLEMISH_MARK:
      return "contain a byte order mark (U+FEFF), which is invisible";
    case BLEMISH_INVISIBLE:
      return "contain an invisible character, such as a zero-width space";
    case BLEMISH_SPACE:
      return "contain a no-break space, or another space that only looks like the usual one";
    case BLEMISH_ENDS:
      return "begin or end with a blank";
    case BLEMISH_QUOTES:
      return "be in quotes";
    case BLEMISH_ENCODING:
      return "contain bytes that are no UTF-8";
  }
  return NULL;
}
