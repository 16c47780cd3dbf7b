/* A growable run of bytes. */
#ifndef ENGINE_BUFFER_H
#define ENGINE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
  char *data;      /* malloc'ed, NULL while empty; NUL-terminated once anything was appended */
  size_t length;   /* bytes in use, without the NUL */
  size_t capacity; /* bytes allocated */
};

#define BUFFER_EMPTY ((struct buffer){NULL, 0, 0})

/* Makes room for `more` further bytes and a NUL. false: no memory, nothing changed. */
bool buffer_reserve(struct buffer *buffer, size_t more);

/* Appends length bytes (a string, one character). false: no memory, nothing changed. */
bool buffer_append(struct buffer *buffer, const void *bytes, size_t length);
bool buffer_append_string(struct buffer *buffer, const char *string);
bool buffer_append_char(struct buffer *buffer, char character);

/* Frees the bytes and leaves the buffer empty. */
void buffer_free(struct buffer *buffer);

/* The same, after overwriting the bytes: for what held a secret. */
void buffer_wipe(struct buffer *buffer);

/* Overwrites and frees a malloc'ed string that held a secret; NULL is allowed. */
void secret_free(char *secret);

#endif
