#include "scan.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"

/* Records what is wrong where; gives NULL. */
static const char *fail(struct json_fault *fault, const char *at, const char *message) {
  fault->at = at;
  fault->message = message;
  return NULL;
}

/* The byte at text, NUL at the end. */
static char peek(const char *text, const char *end) {
  return text < end ? *text : '\0';
}

static const char *skip_space(const char *text, const char *end) {
  while (text < end && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')) text++;
  return text;
}

const char *json_skip_mark(const char *text, const char *end) {
  return end - text >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
}

/* ======================================================================== */
/* Strings                                                                  */
/* ======================================================================== */

static const char control_character[] = "control character in a string";
static const char invalid_utf8[] = "invalid UTF-8";
static const char invalid_escape[] = "invalid escape";
static const char unexpected_end[] = "the string does not end";

static bool is_continuation(char byte) {
  return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t json_sequence_length(const char *text, const char *end) {
  unsigned char first = (unsigned char)text[0];
  size_t available = (size_t)(end - text);
  if (available < 2 || !is_continuation(text[1]) || first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  /* The second byte tells overlong forms, surrogates and what lies beyond U+10FFFF. */
  unsigned char second = (unsigned char)text[1];
  if (available < 3 || !is_continuation(text[2])) return 0;
  if (first < 0xF0) return (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) ? 0 : 3;
  if (available < 4 || !is_continuation(text[3]) || first > 0xF4) return 0;
  return (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90) ? 0 : 4;
}

const char *json_scan_string(const char *text, const char *end, struct json_fault *fault) {
  for (;;) {
    while (end - text >= BLOCK_SIZE) {
      size_t plain = block_first(block_special(text));
      text += plain;
      if (plain < BLOCK_SIZE) break;
    }
    while (text < end && block_is_plain(*text)) text++;
    if (text == end) return fail(fault, text, unexpected_end);
    if (*text == '"' || *text == '\\') return text;
    if ((signed char)*text >= 0) return fail(fault, text, control_character);
    do {
      size_t length = json_sequence_length(text, end);
      if (length == 0) return fail(fault, text, invalid_utf8);
      text += length;
    } while (text < end && (signed char)*text < 0);
  }
}

/* One more than the digits' values; 0: no hexadecimal digit. */
static const unsigned char hex_digits[UCHAR_MAX + 1] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Reads the four hexadecimal digits at text; -1 if there are not that many. */
static int32_t read_hex(const char *text, const char *end) {
  int32_t value = 0;
  if (end - text < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int32_t digit = hex_digits[(unsigned char)text[i]];
    if (digit == 0) return -1;
    value = value << 4 | (digit - 1);
  }
  return value;
}

/* Writes a code point as UTF-8; gives the place behind it. */
static char *write_utf8(char *to, int32_t code) {
  if (code < 0x80) {
    *to++ = (char)code;
    return to;
  }
  if (code < 0x800) {
    *to++ = (char)(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      *to++ = (char)(0xE0 | code >> 12);
    } else {
      *to++ = (char)(0xF0 | code >> 18);
      *to++ = (char)(0x80 | (code >> 12 & 0x3F));
    }
    *to++ = (char)(0x80 | (code >> 6 & 0x3F));
  }
  *to++ = (char)(0x80 | (code & 0x3F));
  return to;
}

/* What half a surrogate pair becomes: texts that were cut in the middle of a character, as long log messages are, must not cost
   the page that they stand in. */
#define REPLACEMENT_CHARACTER 0xFFFD

/* Writes what the \u escape at text, or the pair of them, stands for, and moves *to on. Gives the place
   behind; NULL: see fault. */
static const char *unescape_unicode(const char *text, const char *end, char **to,
                                    struct json_fault *fault) {
  int32_t code = read_hex(text + 2, end);
  if (code < 0) return fail(fault, text, invalid_escape);
  const char *behind = text + 6;
  if (code >= 0xD800 && code < 0xE000) {
    int32_t low = end - behind >= 6 && behind[0] == '\\' && behind[1] == 'u' ? read_hex(behind + 2, end) : -1;
    bool is_pair = code < 0xDC00 && low >= 0xDC00 && low < 0xE000;
    code = is_pair ? 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF) : REPLACEMENT_CHARACTER;
    if (is_pair) behind += 6;
  }
  *to = write_utf8(*to, code);
  return behind;
}

/* What the escapes of one letter stand for; NUL: there is no such escape. */
static const char escape_letters[UCHAR_MAX + 1] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* The same for any escape, whose backslash is at text. */
static inline const char *unescape_one(const char *text, const char *end, char **to,
                                       struct json_fault *fault) {
  char letter = peek(text + 1, end), meant = escape_letters[(unsigned char)letter];
  if (meant != '\0') {
    *(*to)++ = meant;
    return text + 2;
  }
  return letter == 'u' ? unescape_unicode(text, end, to, fault) : fail(fault, text, invalid_escape);
}

/* So much of the text is looked at at a time, one bit of a word for each byte. */
#define STRETCH (2 * BLOCK_SIZE)

/* json_unescape as far as there are whole stretches, and room for them, up to anything but plain characters, valid
   escapes and valid UTF-8. Whole stretches are copied, mostly more than is due: what follows overwrites the rest. */
static void unescape_stretches(const char **text, const char *end, char **to, const char *to_end) {
  const char *from = *text;
  char *out = *to;
  if (end - from < 2 * STRETCH || to_end - out < 2 * STRETCH) return;
  const char *last = end - 2 * STRETCH, *out_last = to_end - 2 * STRETCH;
  while (from <= last && out <= out_last) {
    const char *stretch_end = from + STRETCH;
    uint64_t special = block_special(from) | (uint64_t)block_special(from + BLOCK_SIZE) << BLOCK_SIZE; /* bit 0: at from */
    while (special != 0) {
      int plain = __builtin_ctzll(special);
      memcpy(out, from, STRETCH);
      out += plain;
      from += plain;
      special >>= plain;
      size_t length;
      if (*from != '\\') {
        length = (signed char)*from < 0 ? json_sequence_length(from, end) : 0;
        if (length == 0) goto stop;
        memcpy(out, from, 4);
        out += length;
      } else if (escape_letters[(unsigned char)from[1]] != '\0') {
        length = 2;
        *out++ = escape_letters[(unsigned char)from[1]];
      } else {
        struct json_fault fault; /* json_unescape will meet it again */
        char *behind = out;
        const char *next = from[1] == 'u' ? unescape_unicode(from, end, &behind, &fault) : NULL;
        if (next == NULL) goto stop;
        length = (size_t)(next - from);
        out = behind;
      }
      from += length;
      special >>= length;
    }
    if (from < stretch_end) {
      memcpy(out, from, STRETCH);
      out += stretch_end - from;
      from = stretch_end;
    }
  }
stop:
  *text = from;
  *to = out;
}

enum json_unescaped json_unescape(const char **text, const char *end, char **to, char *to_end,
                                  struct json_fault *fault) {
  for (;;) {
    unescape_stretches(text, end, to, to_end);
    if (to_end - *to < JSON_UNESCAPE_ROOM) return JSON_NO_ROOM;
    char c = peek(*text, end);
    if (c == '"') return JSON_UNESCAPED;
    const char *from = *text;
    if (c == '\\') {
      from = unescape_one(from, end, to, fault);
    } else if (block_is_plain(c)) {
      *(*to)++ = *from++;
    } else if ((signed char)c >= 0) {
      from = fail(fault, from, from == end ? unexpected_end : control_character);
    } else {
      size_t length = json_sequence_length(from, end);
      memcpy(*to, from, length);
      *to += length;
      from = length > 0 ? from + length : fail(fault, from, invalid_utf8);
    }
    if (from == NULL) return JSON_BAD_STRING;
    *text = from;
  }
}

/* ======================================================================== */
/* Values that are only checked                                             */
/* ======================================================================== */

/* Skips the string whose opening quote is at text; NULL: not valid. */
static const char *skip_string(const char *text, const char *end) {
  struct json_fault fault;
  char unescaped[12];
  if (peek(text, end) != '"') return NULL;
  for (text++; (text = json_scan_string(text, end, &fault)) != NULL && *text == '\\';) {
    char *to = unescaped;
    text = unescape_one(text, end, &to, &fault);
    if (text == NULL) return NULL;
  }
  return text == NULL ? NULL : text + 1;
}

/* Skips digits, at least one; NULL: there are none. */
static const char *skip_digits(const char *text, const char *end) {
  const char *begin = text;
  while (text < end && *text >= '0' && *text <= '9') text++;
  return text == begin ? NULL : text;
}

/* Skips a number; NULL: not valid. */
static const char *skip_number(const char *text, const char *end) {
  if (peek(text, end) == '-') text++;
  text = peek(text, end) == '0' ? text + 1 : skip_digits(text, end);
  if (text != NULL && peek(text, end) == '.') text = skip_digits(text + 1, end);
  if (text != NULL && (peek(text, end) | 32) == 'e') {
    text++;
    if (peek(text, end) == '+' || peek(text, end) == '-') text++;
    text = skip_digits(text, end);
  }
  return text;
}

/* Skips the word; NULL: it is not there. */
static const char *skip_word(const char *text, const char *end, const char *word) {
  size_t length = strlen(word);
  return (size_t)(end - text) >= length && memcmp(text, word, length) == 0 ? text + length : NULL;
}

/* Skips a value that is neither array nor object; NULL: not valid. */
static const char *skip_scalar(const char *text, const char *end) {
  switch (peek(text, end)) {
    case '"': return skip_string(text, end);
    case 't': return skip_word(text, end, "true");
    case 'f': return skip_word(text, end, "false");
    case 'n': return skip_word(text, end, "null");
    default: return skip_number(text, end);
  }
}

/* Skips a member's name, the colon, and the space behind it; NULL: not valid. */
static const char *skip_name(const char *text, const char *end) {
  text = skip_string(text, end);
  if (text == NULL) return NULL;
  text = skip_space(text, end);
  return peek(text, end) == ':' ? skip_space(text + 1, end) : NULL;
}

/* Skips the value at text, whose parents are `depth` containers; NULL: not valid, or nested too deep. */
static const char *skip_value(const char *text, const char *end, unsigned depth) {
  char closing[JSON_MAX_DEPTH]; /* of the containers that are open in the value */
  unsigned open = 0;
  for (;;) {
    char c = peek(text, end);
    if (c == '{' || c == '[') {
      if (depth + open >= JSON_MAX_DEPTH) return NULL;
      closing[open++] = c == '{' ? '}' : ']';
      text = skip_space(text + 1, end);
      if (peek(text, end) != closing[open - 1]) {
        if (c == '{') text = skip_name(text, end);
        if (text == NULL) return NULL;
        continue;
      }
      open--;
      text++;
    } else {
      text = skip_scalar(text, end);
      if (text == NULL) return NULL;
    }
    while (open > 0 && (text = skip_space(text, end), peek(text, end) == closing[open - 1])) open--, text++;
    if (open == 0) return text;
    if (peek(text, end) != ',') return NULL;
    text = skip_space(text + 1, end);
    if (closing[open - 1] == '}') text = skip_name(text, end);
    if (text == NULL) return NULL;
  }
}

/* ======================================================================== */
/* Members                                                                  */
/* ======================================================================== */

static enum json_kind kind_of(char first) {
  switch (first) {
    case '"': return JSON_STRING;
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case 'n': return JSON_NULL;
    case 't': case 'f': return JSON_BOOLEAN;
    default: return JSON_NUMBER;
  }
}

/* Whether the valid string whose opening quote is at text says the name. */
static bool string_is(const char *text, const char *end, const char *name) {
  /* A name that does not fit is longer than any that is asked for. */
  char unescaped[JSON_MAX_NAME + JSON_UNESCAPE_ROOM];
  char *to = unescaped;
  struct json_fault fault;
  text++;
  if (json_unescape(&text, end, &to, unescaped + sizeof unescaped, &fault) != JSON_UNESCAPED) return false;
  size_t length = (size_t)(to - unescaped);
  return strlen(name) == length && memcmp(name, unescaped, length) == 0;
}

int json_find_member(const char *text, size_t length, const char *name, struct json_member *member) {
  const char *end = text + length;
  int found = 0;
  text = skip_space(json_skip_mark(text, end), end);
  if (peek(text, end) != '{') return -1;
  text = skip_space(text + 1, end);
  if (peek(text, end) == '}') return skip_space(text + 1, end) == end ? 0 : -1;
  for (;;) {
    const char *key = text;
    const char *value = skip_name(text, end);
    if (value == NULL) return -1;
    text = skip_value(value, end, 1);
    if (text == NULL) return -1;
    if (string_is(key, end, name)) {
      *member = (struct json_member){kind_of(*value), value, (size_t)(text - value)};
      found = 1;
    }
    text = skip_space(text, end);
    if (peek(text, end) == '}') return skip_space(text + 1, end) == end ? found : -1;
    if (peek(text, end) != ',') return -1;
    text = skip_space(text + 1, end);
  }
}

char *json_member_string(const struct json_member *member, size_t *length) {
  if (member->kind != JSON_STRING) return NULL;
  size_t capacity = member->length + JSON_UNESCAPE_ROOM;
  char *string = malloc(capacity);
  if (string == NULL) return NULL;
  const char *text = member->text + 1;
  char *to = string;
  struct json_fault fault;
  if (json_unescape(&text, member->text + member->length, &to, string + capacity, &fault) != JSON_UNESCAPED) {
    free(string);
    return NULL;
  }
  *to = '\0';
  if (length != NULL) *length = (size_t)(to - string);
  return string;
}
