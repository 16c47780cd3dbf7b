/* The local file that a download is written into. What was there before stays until the download is whole: the bytes
   go into a file in the same folder that has no name, or a temporary one where the system knows no files without, and
   the last step renames it. It has the mode of the file that it replaces, else by umask. A symbolic link is followed,
   and what it leads to is replaced. What is no regular file (a terminal, a pipe), and a descriptor by its name
   (/dev/stdout), is written straight. A directory is a failure. Nothing is synchronised with the disk. */
#ifndef ENGINE_FILE_SINK_H
#define ENGINE_FILE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_sink {
  char *path;                   /* as it was given */
  char *target;                 /* what it leads to, once it is open; NULL: written straight */
  char *temporary;              /* the name that the bytes have until they are whole; NULL: none */
  struct file_sink *next_named; /* in the list of those with such a name */
  int descriptor;               /* -1: not open */
  pid_t owner;                  /* the process that has opened it: a forked child must not take its file away */
  int64_t length;               /* of what has come of the download */
  int64_t written;              /* of what was written straight and cannot be taken back */
  char failure[256];            /* why it cannot be written; "" if it can */
};

/* A sink for a path, which is copied; nothing is opened yet. It must stay where it is. false: no memory. */
bool file_sink_init(struct file_sink *sink, const char *path);

/* Opens it unless it is open. Each of these gives false where it fails, and `failure` tells why. */
bool file_sink_open(struct file_sink *sink);

/* Appends bytes. What is written straight never blocks: where the reader is slow, these very bytes are to be given again
   when file_sink_is_ready. */
enum file_sink_result { FILE_SINK_WRITTEN, FILE_SINK_WAITS, FILE_SINK_FAILED };
enum file_sink_result file_sink_write(struct file_sink *sink, const void *bytes, size_t length);

/* Whether some bytes can be written without waiting for a reader. */
bool file_sink_is_ready(const struct file_sink *sink);

/* Begins anew. What was written straight cannot be taken back: where the bytes that follow are the same as before
   (is_same), as many are left out; else it is a failure. */
bool file_sink_restart(struct file_sink *sink, bool is_same);

/* The download is whole: the file takes its place. The sink is closed then. */
bool file_sink_commit(struct file_sink *sink);

/* Closes it and takes away what has no place yet; what was there before stays. */
void file_sink_discard(struct file_sink *sink);

/* The same, and frees the strings. */
void file_sink_free(struct file_sink *sink);

#endif
