#include "gunzip.h"

#include <limits.h>
#include <string.h>

#include "spare.h"

/* The largest window, with a gzip header and trailer. */
#define GZIP_WINDOW (15 + 16)
#define TRAILER_BYTES 4
/* The buffer grows at least by so much. */
#define LEAST_ROOM 16384
/* Of the end of a body: zlib's fast loop needs as much room as the longest match. */
#define LONGEST_MATCH 258

static size_t smaller(size_t one, size_t other) {
  return one < other ? one : other;
}

/* How much room a body that is all there needs: gzip's last four bytes say it modulo 2^32, if they are to be believed. */
static size_t announced(const char *bytes, size_t length, size_t most) {
  const unsigned char *trailer = (const unsigned char *)bytes + length - TRAILER_BYTES;
  if (length < TRAILER_BYTES) return 0;
  size_t size = (size_t)trailer[0] | (size_t)trailer[1] << 8 | (size_t)trailer[2] << 16 | (size_t)trailer[3] << 24;
  return smaller(smaller(size, length * GUNZIP_GREATEST_RATIO), most) + LONGEST_MATCH;
}

static bool make_room(struct buffer *into, size_t room) {
  spare_take(into, room);
  return buffer_reserve(into, room);
}

enum gunzip_result gunzip(struct gunzip *gunzip, const char *bytes, size_t length, bool is_all, struct buffer *into, size_t most) {
  z_stream *stream = &gunzip->stream;
  if (!gunzip->begun && inflateInit2(stream, GZIP_WINDOW) != Z_OK) return GUNZIP_NO_MEMORY;
  gunzip->begun = true;
  if (is_all && !make_room(into, announced(bytes, length, most))) return GUNZIP_NO_MEMORY;
  do {
    /* A further member follows the one that is over. */
    if (gunzip->is_whole) inflateReset(stream);
    if (into->capacity - into->length < LONGEST_MATCH && !make_room(into, LEAST_ROOM)) return GUNZIP_NO_MEMORY;
    uInt given = (uInt)smaller(length, UINT_MAX), room = (uInt)smaller(into->capacity - into->length - 1, UINT_MAX);
    stream->next_in = (z_const Bytef *)bytes;
    stream->avail_in = given;
    stream->next_out = (Bytef *)into->data + into->length;
    stream->avail_out = room;
    int result = inflate(stream, is_all ? Z_FINISH : Z_NO_FLUSH);
    bytes += given - stream->avail_in;
    length -= given - stream->avail_in;
    into->length += room - stream->avail_out;
    into->data[into->length] = '\0';
    gunzip->is_whole = result == Z_STREAM_END;
    if (into->length > most) return GUNZIP_TOO_LARGE;
    if (result == Z_MEM_ERROR) return GUNZIP_NO_MEMORY;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return GUNZIP_BROKEN;
    /* Where the room is used up, more may be to come of what was read. */
  } while (length > 0 || (stream->avail_out == 0 && !gunzip->is_whole));
  return GUNZIP_OK;
}

void gunzip_end(struct gunzip *gunzip) {
  if (gunzip->begun) inflateEnd(&gunzip->stream);
  *gunzip = (struct gunzip){0};
}
