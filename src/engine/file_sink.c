#include "file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_LINKS 40
#define MOST_NAMES 1000
#define DESCRIPTOR_NAME_SIZE 32

/* ======================================================================== */
/* Temporary names                                                          */
/* ======================================================================== */

/* The sinks whose files have a temporary name: at the process's end somebody must take these away. */
static pthread_mutex_t named_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct file_sink *named;

static void unlink_at_exit(void) {
  /* One that is locked for good, in the child of a fork, has nothing of this process's. */
  if (pthread_mutex_trylock(&named_mutex) != 0) return;
  for (struct file_sink *sink = named; sink != NULL; sink = sink->next_named)
    if (sink->owner == getpid()) unlink(sink->temporary);
  pthread_mutex_unlock(&named_mutex);
}

static void register_exit(void) {
  atexit(unlink_at_exit);
}

static void enter_named(struct file_sink *sink) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_exit);
  pthread_mutex_lock(&named_mutex);
  sink->next_named = named;
  named = sink;
  pthread_mutex_unlock(&named_mutex);
}

/* The temporary name is no longer this sink's. */
static void leave_named(struct file_sink *sink) {
  if (sink->temporary == NULL) return;
  pthread_mutex_lock(&named_mutex);
  struct file_sink **place = &named;
  while (*place != NULL && *place != sink) place = &(*place)->next_named;
  if (*place == sink) *place = sink->next_named;
  pthread_mutex_unlock(&named_mutex);
  free(sink->temporary);
  sink->temporary = NULL;
}

/* The length of the target's folder with the slash at its end; 0: the current one. */
static size_t folder_length(const char *target) {
  const char *slash = strrchr(target, '/');
  return slash == NULL ? 0 : (size_t)(slash - target) + 1;
}

/* Sets a name beside the target that is not taken by another of ours. false: no memory. */
static bool set_name(struct file_sink *sink) {
  static atomic_uint last_number;
  size_t folder = folder_length(sink->target), size = folder + 64;
  free(sink->temporary);
  sink->temporary = malloc(size);
  if (sink->temporary == NULL) return false;
  snprintf(sink->temporary, size, "%.*s.uipath-%ld-%u", (int)folder, sink->target, (long)getpid(), ++last_number);
  return true;
}

/* ======================================================================== */
/* Opening                                                                  */
/* ======================================================================== */

bool file_sink_init(struct file_sink *sink, const char *path) {
  *sink = (struct file_sink){.descriptor = -1};
  sink->path = strdup(path);
  return sink->path != NULL;
}

static bool fail(struct file_sink *sink, int reason) {
  snprintf(sink->failure, sizeof sink->failure, "cannot write %.160s: %s", sink->path, strerror(reason));
  return false;
}

/* The descriptor that a path names, as /dev/stdout does, or -1. To open it by that name would begin a regular file
   behind it from its start, which is not what `{ echo; luipath …; } >file` means. */
static int named_descriptor(const char *path) {
  static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", NULL};
  if (strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
  if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
  for (const char *const *folder = folders; *folder != NULL; folder++) {
    size_t length = strlen(*folder), digits = strncmp(path, *folder, length) == 0 ? strspn(path + length, "0123456789") : 0;
    if (digits > 0 && digits < 9 && path[length + digits] == '\0') return (int)strtol(path + length, NULL, 10);
  }
  return -1;
}

/* None of the descriptors of standard input, output and error, where these are closed: what is printed must not go into
   the file. */
static int moved_up(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(descriptor);
  return moved;
}

/* Sets what the path leads to, however many symbolic links that takes; it need not exist. */
static bool resolve(struct file_sink *sink) {
  char *target = strdup(sink->path);
  for (int i = 0; target != NULL; i++) {
    struct stat status;
    if (lstat(target, &status) != 0 || !S_ISLNK(status.st_mode)) {
      sink->target = target;
      return true;
    }
    char link[4096];
    ssize_t length = i < MOST_LINKS ? readlink(target, link, sizeof link) : -1;
    if (length < 0 || (size_t)length == sizeof link) {
      free(target);
      return fail(sink, ELOOP);
    }
    size_t folder = link[0] == '/' ? 0 : folder_length(target);
    char *next = malloc(folder + (size_t)length + 1);
    if (next != NULL) {
      memcpy(next, target, folder);
      memcpy(next + folder, link, (size_t)length);
      next[folder + (size_t)length] = '\0';
    }
    free(target);
    target = next;
  }
  return fail(sink, ENOMEM);
}

/* Opens a file without a name beside the target. -1: this system, or this file system, has none. */
static int open_unnamed(const struct file_sink *sink) {
#if defined O_TMPFILE && !defined UIPATH_PORTABLE
  size_t length = folder_length(sink->target);
  char *folder = length == 0 ? strdup(".") : strndup(sink->target, length);
  int descriptor = folder == NULL ? -1 : moved_up(open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  free(folder);
  if (descriptor < 0) return -1;
  /* By this it gets its name later. */
  char name[DESCRIPTOR_NAME_SIZE];
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  if (access(name, F_OK) == 0) return descriptor;
  close(descriptor);
#else
  (void)sink;
#endif
  return -1;
}

/* Opens a file with a temporary name beside the target. -1: errno tells why. */
static int open_named(struct file_sink *sink) {
  int descriptor = -1;
  errno = EEXIST;
  for (int i = 0; descriptor < 0 && errno == EEXIST && i < MOST_NAMES; i++) {
    if (!set_name(sink)) return -1;
    descriptor = moved_up(open(sink->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  }
  if (descriptor >= 0) {
    enter_named(sink);
    return descriptor;
  }
  free(sink->temporary);
  sink->temporary = NULL;
  return -1;
}

/* What is there already, if its status is given, is to be replaced. */
static bool open_beside(struct file_sink *sink, const struct stat *replaced) {
  if (!resolve(sink)) return false;
  /* Who has protected a file against writing does not want it replaced either. */
  if (replaced != NULL && access(sink->target, W_OK) != 0) return fail(sink, errno);
  sink->descriptor = open_unnamed(sink);
  if (sink->descriptor < 0) sink->descriptor = open_named(sink);
  if (sink->descriptor < 0) return fail(sink, errno);
  /* Before the first byte is in it. */
  if (replaced != NULL && fchmod(sink->descriptor, replaced->st_mode & 0777) != 0) return fail(sink, errno);
  return true;
}

bool file_sink_open(struct file_sink *sink) {
  struct stat status;
  if (sink->descriptor >= 0) return true;
  sink->owner = getpid();
  sink->failure[0] = '\0';
  int other = named_descriptor(sink->path);
  if (other >= 0) {
    sink->descriptor = fcntl(other, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  } else {
    bool exists = stat(sink->path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) return fail(sink, EISDIR);
    if (!exists || S_ISREG(status.st_mode)) return open_beside(sink, exists ? &status : NULL);
    /* A pipe without a reader is not waited for. */
    sink->descriptor = moved_up(open(sink->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    int flags = sink->descriptor < 0 ? -1 : fcntl(sink->descriptor, F_GETFL);
    if (flags >= 0) fcntl(sink->descriptor, F_SETFL, flags & ~O_NONBLOCK);
  }
  return sink->descriptor >= 0 || fail(sink, errno);
}

/* ======================================================================== */
/* Writing                                                                  */
/* ======================================================================== */

bool file_sink_is_ready(const struct file_sink *sink) {
  struct pollfd reader = {.fd = sink->descriptor, .events = POLLOUT};
  return sink->target != NULL || poll(&reader, 1, 0) != 0;
}

/* The same for what is written straight. Of what was written already, before it had to wait or the connection broke, as
   many bytes are left out. */
static enum file_sink_result write_straight(struct file_sink *sink, const char *bytes, size_t length) {
  int64_t start = sink->length, end = start + (int64_t)length;
  while (sink->written < end) {
    /* A pipe that is ready takes so many at least. */
    size_t left = (size_t)(end - sink->written), most = left < PIPE_BUF ? left : PIPE_BUF;
    if (!file_sink_is_ready(sink)) return FILE_SINK_WAITS;
    ssize_t count = write(sink->descriptor, bytes + (sink->written - start), most);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail(sink, errno);
      return FILE_SINK_FAILED;
    }
    sink->written += count;
  }
  sink->length = end;
  return FILE_SINK_WRITTEN;
}

enum file_sink_result file_sink_write(struct file_sink *sink, const void *bytes, size_t length) {
  const char *cursor = bytes;
  if (sink->target == NULL) return write_straight(sink, bytes, length);
  while (length > 0) {
    ssize_t count = write(sink->descriptor, cursor, length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail(sink, errno);
      return FILE_SINK_FAILED;
    }
    cursor += count;
    length -= (size_t)count;
    sink->length += count;
  }
  return FILE_SINK_WRITTEN;
}

bool file_sink_restart(struct file_sink *sink, bool is_same) {
  sink->length = 0;
  if (sink->descriptor < 0) return true;
  if (sink->target != NULL) {
    if (ftruncate(sink->descriptor, 0) == 0 && lseek(sink->descriptor, 0, SEEK_SET) == 0) return true;
    return fail(sink, errno);
  }
  if (is_same || sink->written == 0) return true;
  snprintf(sink->failure, sizeof sink->failure,
           "the download had to begin anew, and what was written to %.120s cannot be taken back", sink->path);
  return false;
}

/* ======================================================================== */
/* The end                                                                  */
/* ======================================================================== */

/* Gives a file without a name a temporary one: only with a name can it take another's place. */
static bool give_name(struct file_sink *sink) {
  char file[DESCRIPTOR_NAME_SIZE];
  snprintf(file, sizeof file, "/proc/self/fd/%d", sink->descriptor);
  errno = EEXIST;
  for (int i = 0; errno == EEXIST && i < MOST_NAMES; i++) {
    if (!set_name(sink)) return fail(sink, ENOMEM);
    if (linkat(AT_FDCWD, file, AT_FDCWD, sink->temporary, AT_SYMLINK_FOLLOW) == 0) {
      enter_named(sink);
      return true;
    }
  }
  free(sink->temporary);
  sink->temporary = NULL;
  return fail(sink, errno);
}

bool file_sink_commit(struct file_sink *sink) {
  if (sink->target != NULL && sink->temporary == NULL && !give_name(sink)) return false;
  int closed = close(sink->descriptor); /* some file systems say only here that the disk is full */
  sink->descriptor = -1;
  if (closed != 0 && errno != EINTR) return fail(sink, errno);
  if (sink->target != NULL && rename(sink->temporary, sink->target) != 0) return fail(sink, errno);
  leave_named(sink);
  return true;
}

void file_sink_discard(struct file_sink *sink) {
  if (sink->descriptor >= 0) close(sink->descriptor);
  sink->descriptor = -1;
  if (sink->temporary != NULL && sink->owner == getpid()) unlink(sink->temporary);
  leave_named(sink);
  free(sink->target);
  sink->target = NULL;
  sink->length = 0;
}

void file_sink_free(struct file_sink *sink) {
  file_sink_discard(sink);
  free(sink->path);
  sink->path = NULL;
}
