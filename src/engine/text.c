#include "text.h"

/* What a lead byte says: how many bytes follow it, and the least code point that needs so many. */
struct lead {
  unsigned char mask, bits; /* the byte is a lead of this kind if (byte & mask) == bits */
  int following;
  uint32_t least;
};

static const struct lead leads[] = {
    {0x80, 0x00, 0, 0}, {0xE0, 0xC0, 1, 0x80}, {0xF0, 0xE0, 2, 0x800}, {0xF8, 0xF0, 3, 0x10000}};

uint32_t text_next(const char **cursor, const char *end) {
  const unsigned char *byte = (const unsigned char *)*cursor;
  const struct lead *lead = leads;
  const struct lead *const leads_end = leads + sizeof leads / sizeof leads[0];
  while (lead < leads_end && (*byte & lead->mask) != lead->bits) lead++;
  if (lead == leads_end || end - *cursor <= lead->following) return TEXT_INVALID;

  uint32_t code = *byte & (unsigned char)~lead->mask;
  for (int i = 1; i <= lead->following; i++) {
    if ((byte[i] & 0xC0) != 0x80) return TEXT_INVALID;
    code = code << 6 | (byte[i] & 0x3F);
  }
  bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < lead->least || code > 0x10FFFF || surrogate) return TEXT_INVALID;
  *cursor += 1 + lead->following;
  return code;
}

bool text_is_utf8(const char *text, size_t length) {
  const char *end = text + length;
  while (text < end) {
    if (text_next(&text, end) == TEXT_INVALID) return false;
  }
  return true;
}

bool text_has_control(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte < 0x20 || byte == 0x7F) return true;
  }
  return false;
}

bool text_is_guid(const char *text, size_t length) {
  static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (length != sizeof form - 1) return false;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    bool hexadecimal = text_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (form[i] == 'x' ? !hexadecimal : c != '-') return false;
  }
  return true;
}
