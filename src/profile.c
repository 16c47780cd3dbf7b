#include "profile.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Says, once in a process, that the file holds secrets and is open to others. Two threads may both say it: no harm. */
static void warn_if_exposed(const char *path, mode_t mode) {
  static bool warned = false;
  if (warned || (mode & (S_IRGRP | S_IROTH)) == 0) return;
  warned = true;
  fprintf(stderr, "uipath: warning: %s can be read by others than its owner, and may hold secrets: chmod 600 it\n", path);
}

void profile_push(lua_State *L, const char *name) {
  const char *home = getenv("HOME");
  const char *path = lua_pushfstring(L, "%s/.uipath/config", home == NULL ? "" : home);
  struct stat file;
  bool exists = home != NULL && stat(path, &file) == 0;
  if (!exists) {
    if (name != NULL) luaL_error(L, "there is no profile '%s': no file %s", name, path);
    lua_pushnil(L);
    lua_replace(L, -2);
    lua_pushnil(L);
    return;
  }
  warn_if_exposed(path, file.st_mode);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "uipath.profile");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "load");
  lua_pushvalue(L, -3);
  lua_pushstring(L, name);
  lua_call(L, 2, 2);
  lua_remove(L, -3); /* the module */
  lua_remove(L, -3); /* the path */
}
