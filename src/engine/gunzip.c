#include "gunzip.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdint.h>
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

/* Unpacks a body that is all there in one go, which libdeflate does in half of zlib's time; the room for it has been made. false: nothing was
   done, it is not as simple as that (several members, a trailer that lies, broken bytes, no memory). */
static bool unpack_whole(const struct gunzip_input *input, struct buffer *into, size_t most) {
  size_t taken, made, room = into->capacity - into->length - 1;
  struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
  if (decompressor == NULL) return false;
  enum libdeflate_result result =
      libdeflate_gzip_decompress_ex(decompressor, input->bytes, input->length, into->data + into->length, room, &taken, &made);
  libdeflate_free_decompressor(decompressor);
  bool is_done = result == LIBDEFLATE_SUCCESS && taken == input->length && made <= most - into->length;
  if (is_done) into->length += made;
  into->data[into->length] = '\0';
  return is_done;
}

enum gunzip_result gunzip(struct gunzip *gunzip, struct gunzip_input *input, struct buffer *into, size_t most, size_t at_once) {
  z_stream *stream = &gunzip->stream;
  size_t until = into->length + smaller(at_once, SIZE_MAX - into->length);
  if (input->length == 0 && gunzip->is_whole) return GUNZIP_OK;
  if (!gunzip->begun && input->is_all) {
    size_t needed = announced(input->bytes, input->length, most);
    if (!make_room(into, needed)) return GUNZIP_NO_MEMORY;
    if (needed <= at_once && into->length <= most && unpack_whole(input, into, most)) {
      input->length = 0;
      gunzip->is_whole = true;
      return GUNZIP_OK;
    }
  }
  if (!gunzip->begun && inflateInit2(stream, GZIP_WINDOW) != Z_OK) return GUNZIP_NO_MEMORY;
  gunzip->begun = true;
  do {
    if (into->length >= until) return GUNZIP_MORE;
    /* A further member follows the one that is over. */
    if (gunzip->is_whole) inflateReset(stream);
    if (into->capacity - into->length < LONGEST_MATCH && !make_room(into, LEAST_ROOM)) return GUNZIP_NO_MEMORY;
    uInt given = (uInt)smaller(input->length, UINT_MAX);
    uInt room = (uInt)smaller(smaller(into->capacity - into->length - 1, until - into->length), UINT_MAX);
    stream->next_in = (z_const Bytef *)input->bytes;
    stream->avail_in = given;
    stream->next_out = (Bytef *)into->data + into->length;
    stream->avail_out = room;
    int result = inflate(stream, input->is_all ? Z_FINISH : Z_NO_FLUSH);
    input->bytes += given - stream->avail_in;
    input->length -= given - stream->avail_in;
    into->length += room - stream->avail_out;
    into->data[into->length] = '\0';
    gunzip->is_whole = result == Z_STREAM_END;
    if (into->length > most) return GUNZIP_TOO_LARGE;
    if (result == Z_MEM_ERROR) return GUNZIP_NO_MEMORY;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return GUNZIP_BROKEN;
    /* Where the room is used up, more may be to come of what was read. */
  } while (input->length > 0 || (stream->avail_out == 0 && !gunzip->is_whole));
  return GUNZIP_OK;
}

void gunzip_end(struct gunzip *gunzip) {
  if (gunzip->begun) inflateEnd(&gunzip->stream);
  *gunzip = (struct gunzip){0};
}
