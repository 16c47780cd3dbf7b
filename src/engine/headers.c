#include "headers.h"

#include <string.h>
#include <strings.h>

const char *headers_next(const struct buffer *lines, const char *name, const char *behind, size_t *length) {
  size_t name_length = strlen(name);
  const char *line = lines->data, *end = line == NULL ? NULL : line + lines->length;
  if (behind != NULL) {
    line = memchr(behind, '\n', (size_t)(end - behind));
    if (line++ == NULL) return NULL;
  }
  while (line < end) {
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    if (line_end == NULL) line_end = end;
    if ((size_t)(line_end - line) > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0) {
      const char *value = line + name_length + 1, *value_end = line_end;
      while (value < value_end && (*value == ' ' || *value == '\t')) value++;
      while (value_end > value && (value_end[-1] == '\r' || value_end[-1] == ' ' || value_end[-1] == '\t')) value_end--;
      *length = (size_t)(value_end - value);
      return value;
    }
    line = line_end < end ? line_end + 1 : end;
  }
  return NULL;
}

const char *headers_last(const struct buffer *lines, const char *name, size_t *length) {
  const char *found = NULL, *value = NULL;
  while ((value = headers_next(lines, name, value, length)) != NULL) found = value;
  return found;
}
