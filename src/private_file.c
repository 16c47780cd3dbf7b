#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_PATH 4096
#define LARGEST (1024 * 1024)
/* A second in all: whoever has the lock needs far less, unless it was stopped. */
#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 10000000

/* Makes the folders above path that are missing; path is changed meanwhile. What goes wrong shows when the file is made. */
static void make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, S_IRWXU);
    *slash = '/';
  }
}

/* Writes all of the text and closes the descriptor. false: errno says why. */
static bool write_and_close(int descriptor, const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(descriptor, text, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      int reason = errno;
      close(descriptor);
      errno = reason;
      return false;
    }
    text += written;
    length -= (size_t)written;
  }
  return close(descriptor) == 0;
}

/* Pushes the text of a regular file; "" where there is none. false, with nothing pushed: errno says why.
   [-0, +(0|1)] */
static bool push_text(lua_State *L, const char *path) {
  /* Opening a FIFO would wait for its other end. */
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0 && errno == ENOENT) {
    lua_pushliteral(L, "");
    return true;
  }
  if (descriptor < 0) return false;
  struct stat status;
  char *text = NULL;
  size_t length = 0;
  int reason = 0;
  if (fstat(descriptor, &status) != 0) {
    reason = errno;
  } else if (!S_ISREG(status.st_mode)) {
    reason = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  } else if (status.st_size > LARGEST) {
    reason = EFBIG;
  } else {
    size_t size = (size_t)status.st_size;
    text = malloc(size + 1);
    if (text == NULL) reason = ENOMEM;
    while (reason == 0 && length < size) {
      ssize_t got = read(descriptor, text + length, size - length);
      if (got == 0) break;
      if (got > 0) {
        length += (size_t)got;
      } else if (errno != EINTR) {
        reason = errno;
      }
    }
  }
  close(descriptor);
  /* Memory that runs out here costs a text that is let go in the same step. */
  if (reason == 0) lua_pushlstring(L, text, length);
  free(text);
  errno = reason;
  return reason == 0;
}

/* Replaces the file by the text. false: errno says why. temporary: room for its name. */
static bool replace(const char *path, char temporary[LONGEST_PATH], const char *text, size_t length) {
  if ((size_t)snprintf(temporary, LONGEST_PATH, "%s.XXXXXX", path) >= LONGEST_PATH) {
    errno = ENAMETOOLONG;
    return false;
  }
  int descriptor = mkostemp(temporary, O_CLOEXEC); /* 0600 */
  if (descriptor < 0) return false;
  if (write_and_close(descriptor, text, length) && rename(temporary, path) == 0) return true;
  int reason = errno;
  unlink(temporary);
  errno = reason;
  return false;
}

/* Locks the folder of the file, and gives its descriptor, which unlocks it when it is closed. -1: without. */
static int lock_folder(const char *path) {
  char folder[LONGEST_PATH] = ".";
  const char *slash = strrchr(path, '/');
  if (slash != NULL) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
  int descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  for (int i = 0; descriptor >= 0 && i < LOCK_TRIES; i++) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
  }
  if (descriptor >= 0) close(descriptor);
  return -1;
}

/* Pushes nil and why. [-0, +2] */
static int fail(lua_State *L, const char *what, const char *path, int reason) {
  lua_pushnil(L);
  lua_pushfstring(L, "cannot %s %s: %s", what, path, reason == EINVAL ? "it is not a regular file" : strerror(reason));
  return 2;
}

int private_file_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  if (push_text(L, path)) return 1;
  return fail(L, "read", path, errno);
}

int private_file_update(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  char name[LONGEST_PATH];
  if ((size_t)snprintf(name, sizeof name, "%s", path) >= sizeof name) return fail(L, "write", path, ENAMETOOLONG);
  make_folders(name);
  int folder = lock_folder(path);
  lua_pushvalue(L, 2);
  if (!push_text(L, path)) {
    int reason = errno;
    if (folder >= 0) close(folder);
    return fail(L, "write", path, reason);
  }
  int status = lua_pcall(L, 1, 1, 0);
  size_t length = 0;
  const char *text = status == LUA_OK && lua_isstring(L, -1) ? lua_tolstring(L, -1, &length) : NULL;
  bool written = text == NULL || replace(path, name, text, length);
  int reason = errno;
  if (folder >= 0) close(folder);
  if (status != LUA_OK) return lua_error(L);
  if (!written) return fail(L, "write", path, reason);
  lua_pushboolean(L, 1);
  return 1;
}
