/* What is asked of text before it goes into a URL or a header. Pure functions of any bytes. */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point that begins at *cursor, which is moved past it; TEXT_INVALID, with *cursor where
   it was, if none of well-formed UTF-8 (RFC 3629) begins there. *cursor < end. */
#define TEXT_INVALID UINT32_MAX
uint32_t text_next(const char **cursor, const char *end);

/* Whether all of it is well-formed UTF-8. */
bool text_is_utf8(const char *text, size_t length);

/* Whether a byte of it is an ASCII control character: NUL, CR, LF, TAB, DEL, … */
bool text_has_control(const char *text, size_t length);

/* Whether it is 8-4-4-4-12 hexadecimal digits. */
bool text_is_guid(const char *text, size_t length);

/* ASCII's classes, whatever the locale. */
static inline bool text_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool text_is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
