/* A download: the answer's bytes go into a file, and where the connection breaks the next request asks for the rest.

   Where the bytes go is the first thing to know of an answer. Errors, and pages of HTML or short JSON where the owner is
   to look at these first (`looks`), are kept in memory as any answer is; all else is written as it comes.

   The next attempt asks for the rest (Range) of the very same file (If-Range), where what came had a strong ETag or a
   Last-Modified that is as good. A 206 must then say that it begins where the file ends, and be of the same file; any
   other one is thrown away, and the download begins anew, as it does with a 200 or 416. That goes on over several
   calls, so that an address that has expired in the middle can be replaced by a fresh one. */
#ifndef ENGINE_DOWNLOAD_H
#define ENGINE_DOWNLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_sink.h"

struct transfer;
struct transfer_end;

/* JSON up to this size may be what its owner must look at; the access objects that this is for have one kilobyte. */
#define DOWNLOAD_LONGEST_LOOK ((size_t)64 << 10)

enum download_place {
  DOWNLOAD_UNDECIDED, /* nothing of the answer's body has come */
  DOWNLOAD_IN_MEMORY, /* in the transfer's reply_body, as usual */
  DOWNLOAD_LOOKED_AT, /* likewise, up to DOWNLOAD_LONGEST_LOOK */
  DOWNLOAD_IN_FILE,
  DOWNLOAD_USELESS /* it is thrown away: see mismatch or sink.failure */
};

struct download {
  atomic_int references;
  struct file_sink sink;
  int64_t total;       /* bytes in all, -1: not known */
  int64_t furthest;    /* the most that sink.length has been */
  unsigned restarts;   /* how often it began anew */
  char validator[256]; /* for If-Range: the ETag with its quotes, or the date; "": none */
  bool is_date;        /* which of them */
  /* Of the answer that comes. */
  bool looks;
  bool asked_for_rest;
  enum download_place place;
  const char *mismatch; /* why it is of no use: static, or NULL */
};

/* A new download into the file of that path with one reference. NULL: no memory. */
struct download *download_new(const char *path);
struct download *download_retain(struct download *download);

/* Drops a reference (NULL is allowed); the last one takes away what has no place yet. */
void download_release(struct download *download);

/* Before a request: decides whether it asks for the rest. looks: see above. false: the file cannot be written. */
bool download_begin(struct download *download, bool looks);

enum download_result {
  DOWNLOAD_TAKEN,
  DOWNLOAD_FOR_MEMORY, /* the caller is to keep them there */
  DOWNLOAD_WAITS,      /* these very bytes are to come again when file_sink_is_ready */
  DOWNLOAD_STOPS       /* the transfer is of no use any more */
};

/* Some of the body of an answer has come, whose headers the transfer has. */
enum download_result download_take(struct download *download, struct transfer *transfer, int status, const char *bytes,
                                   size_t length);

/* The transfer is over: corrects how, by what has become of the file. Puts that in its place when it is whole. */
void download_finish(struct download *download, const struct transfer *transfer, struct transfer_end *end);

/* Whether more has come by now than ever before, since this was last asked. */
bool download_has_advanced(struct download *download);

#endif
