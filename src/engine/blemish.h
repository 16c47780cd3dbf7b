/* Mistakes that nobody sees in a text that was copied from a page, a file or a message. Pure functions of any bytes. */
#ifndef ENGINE_BLEMISH_H
#define ENGINE_BLEMISH_H

#include <stddef.h>

enum blemish {
  BLEMISH_NONE,
  BLEMISH_CONTROL,   /* a control character: of ASCII, or U+0080 to U+009F */
  BLEMISH_MARK,      /* a byte order mark */
  BLEMISH_INVISIBLE, /* a zero-width space, a mark of direction, a soft hyphen, … */
  BLEMISH_SPACE,     /* a no-break space, or another one that only looks like the usual */
  BLEMISH_ENDS,      /* a blank at the beginning or the end */
  BLEMISH_QUOTES,    /* quotes around it */
  BLEMISH_ENCODING   /* no UTF-8 */
};

/* The first of them that the text has. */
enum blemish blemish_find(const char *text, size_t length);

/* What "must not" leads to in a message: "begin or end with a blank", …; static. NULL for BLEMISH_NONE. */
const char *blemish_words(enum blemish blemish);

#endif
