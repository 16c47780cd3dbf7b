#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

/* A function that the compiler does not know: it may not leave a call of it out although the memory is freed next. */
static void *(*const volatile overwrite)(void *memory, int byte, size_t length) = memset;

bool buffer_reserve(struct buffer *buffer, size_t more) {
  if (more > SIZE_MAX / 2 - buffer->length) return false;
  size_t needed = buffer->length + more + 1;
  if (needed <= buffer->capacity) return true;
  size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
  while (capacity < needed) capacity *= 2;
  char *data = realloc(buffer->data, capacity);
  if (data == NULL) return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
  if (!buffer_reserve(buffer, length)) return false;
  if (length > 0) memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
  buffer->data[buffer->length] = '\0';
  return true;
}

bool buffer_append_string(struct buffer *buffer, const char *string) {
  return buffer_append(buffer, string, strlen(string));
}

bool buffer_append_char(struct buffer *buffer, char character) {
  return buffer_append(buffer, &character, 1);
}

void buffer_free(struct buffer *buffer) {
  free(buffer->data);
  *buffer = BUFFER_EMPTY;
}

void buffer_wipe(struct buffer *buffer) {
  if (buffer->data != NULL) overwrite(buffer->data, 0, buffer->length);
  buffer_free(buffer);
}

void secret_free(char *secret) {
  if (secret == NULL) return;
  overwrite(secret, 0, strlen(secret));
  free(secret);
}
