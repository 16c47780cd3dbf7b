/* Foreign text as a message may show it. */
#ifndef ONE_LINE_H
#define ONE_LINE_H

#include "compat.h"

/* Pushes the text (length bytes of anything) on one line of at most `most` bytes, at least four: white space, control characters
   and marks of direction become one space, none at the ends; bytes that are no UTF-8 become "?"; what does not fit is "…". It
   reads no further than that. [-0, +1] */
void one_line_push(lua_State *L, const char *text, size_t length, size_t most);

/* Adds to the table on top one_line(text, most) → the same. [-0, +0] */
void one_line_add_internals(lua_State *L);

#endif
