/* The lines of a response's head: "Name: value\r\n". Pure functions. */
#ifndef ENGINE_HEADERS_H
#define ENGINE_HEADERS_H

#include <stddef.h>

#include "buffer.h"

/* The value of the next field of that name, in any case, behind another one's value (NULL: the first), without blanks around it;
   its length goes to *length. NULL: there is none. */
const char *headers_next(const struct buffer *lines, const char *name, const char *behind, size_t *length);

/* The same for the last field of that name. *length stays as it is where there is none. */
const char *headers_last(const struct buffer *lines, const char *name, size_t *length);

#endif
