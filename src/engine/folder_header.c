#include "folder_header.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "call.h"
#include "text.h"

/* Whether the path is safe in a header as it stands. Relative paths are known in the encoded form
   only, and a space at either end would be lost from a header. */
static bool is_plain(const char *path, size_t length) {
  if (path[0] == '/' || path[0] == '.' || path[0] == ' ' || path[length - 1] == ' ') return false;
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)path[i] >= 0x80) return false;
  }
  return true;
}

/* Appends a 16-bit unit, low byte first. false: no memory. */
static bool append_utf16_unit(struct buffer *buffer, uint32_t unit) {
  return buffer_append_char(buffer, (char)(unit & 0xFF)) &&
         buffer_append_char(buffer, (char)(unit >> 8));
}

/* Appends valid UTF-8 as UTF-16LE. false: no memory. */
static bool append_utf16(struct buffer *buffer, const char *text, size_t length) {
  const char *end = text + length;
  while (text < end) {
    uint32_t code = text_next(&text, end);
    if (code < 0x10000) {
      if (!append_utf16_unit(buffer, code)) return false;
    } else {
      code -= 0x10000;
      if (!append_utf16_unit(buffer, 0xD800 + (code >> 10))) return false;
      if (!append_utf16_unit(buffer, 0xDC00 + (code & 0x3FF))) return false;
    }
  }
  return true;
}

/* Appends bytes as Base64 (RFC 4648, section 4, with padding). false: no memory. */
static bool append_base64(struct buffer *buffer, const char *bytes, size_t length) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < length; i += 3) {
    uint32_t group = 0;
    for (size_t j = i; j < i + 3; j++) {
      group <<= 8;
      if (j < length) group |= (unsigned char)bytes[j];
    }
    char quad[4] = {digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63],
                    digits[group & 63]};
    if (i + 1 >= length) quad[2] = '=';
    if (i + 2 >= length) quad[3] = '=';
    if (!buffer_append(buffer, quad, sizeof quad)) return false;
  }
  return true;
}

/* Adds the header for a path that does not fit into one as it is. false: no memory. */
static bool add_encoded(struct call_request *request, const char *path, size_t length) {
  struct buffer utf16 = BUFFER_EMPTY, base64 = BUFFER_EMPTY;
  request->folder_path = strndup(path, length);
  bool added = request->folder_path != NULL && append_utf16(&utf16, path, length) &&
               append_base64(&base64, utf16.data, utf16.length) &&
               call_add_header(request, "X-UIPATH-FolderPath-Encoded", base64.data);
  buffer_free(&utf16);
  buffer_free(&base64);
  return added;
}

bool folder_header_add_id(struct call_request *request, int64_t id) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)id);
  return call_add_header(request, "X-UIPATH-OrganizationUnitId", digits);
}

bool folder_header_add_path(struct call_request *request, const char *path, size_t length) {
  if (text_is_guid(path, length)) return call_add_header(request, "X-UIPATH-FolderKey", path);
  if (is_plain(path, length)) return call_add_header(request, "X-UIPATH-FolderPath", path);
  return add_encoded(request, path, length);
}
