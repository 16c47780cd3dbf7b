/* A response body that was sent compressed, as Content-Encoding: gzip says. */
#ifndef ENGINE_GUNZIP_H
#define ENGINE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "buffer.h"

/* Deflate cannot make less than one byte of so many (zlib's own documentation, https://zlib.net/zlib_tech.html). */
#define GUNZIP_GREATEST_RATIO 1032

/* GUNZIP_MORE: as much as was allowed at once has been made, more may be to come. */
enum gunzip_result { GUNZIP_OK, GUNZIP_MORE, GUNZIP_TOO_LARGE, GUNZIP_BROKEN, GUNZIP_NO_MEMORY };

/* All zero: nothing has come yet. */
struct gunzip {
  z_stream stream;
  bool begun;    /* zlib has been set up: for what libdeflate does not do in one go */
  bool is_whole; /* what has come so far is a whole: it may end here */
};

/* What is to be unpacked next. */
struct gunzip_input {
  const char *bytes;
  size_t length;
  bool is_all; /* the body ends with them (only one that comes in one piece need say so, for speed) */
};

/* Unpacks further bytes, appends what they make, and takes them off the input; stops with GUNZIP_MORE when at_once bytes were appended. At
   most `most` bytes in all go into the buffer, else GUNZIP_TOO_LARGE. After any failure only gunzip_end may be called. */
enum gunzip_result gunzip(struct gunzip *gunzip, struct gunzip_input *input, struct buffer *into, size_t most, size_t at_once);

/* Frees all; then it is as at the beginning. */
void gunzip_end(struct gunzip *gunzip);

#endif
