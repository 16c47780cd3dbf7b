#include "private_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_PATH 4096

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

int private_file_write(lua_State *L) {
  size_t length;
  const char *path = luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &length);
  char temporary[LONGEST_PATH];
  int size = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  errno = ENAMETOOLONG;
  bool written = false;
  if (size > 0 && (size_t)size < sizeof temporary) {
    make_folders(temporary);
    int descriptor = mkstemp(temporary); /* 0600 */
    if (descriptor >= 0) {
      written = write_and_close(descriptor, text, length) && rename(temporary, path) == 0;
      int reason = errno;
      if (!written) unlink(temporary);
      errno = reason;
    }
  }
  if (written) {
    lua_pushboolean(L, 1);
    return 1;
  }
  int reason = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "cannot write %s: %s", path, strerror(reason));
  return 2;
}
