#include "error.h"

#include <stdio.h>
#include <string.h>

#include "lazy.h"
#include "one_line.h"

#define METATABLE "uipath.error"
#define LONGEST_SOURCE 512
#define PRELOAD_HINT "uipath.preload() loads all of them before the root or the user changes"

__attribute__((visibility("default"))) int luaopen_uipath_failure(lua_State *L);

static const char directory_key = 0; /* the registry's name for the directory of our own Lua files */

/* ======================================================================== */
/* Without the Lua half                                                     */
/* ======================================================================== */

#define SHORTEST_SECRET 4 /* as in uipath.errors: less would be in any word */

/* tostring(err): "where: kind: message — hint" */
static int plain_to_string(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "where");
  lua_getfield(L, 1, "kind");
  lua_getfield(L, 1, "message");
  lua_getfield(L, 1, "hint");
  const char *where = lua_tostring(L, 2), *kind = lua_tostring(L, 3);
  const char *message = lua_tostring(L, 4), *hint = lua_tostring(L, 5);
  lua_pushfstring(L, "%s%s%s%s%s%s%s", where == NULL ? "" : where, where == NULL ? "" : ": ",
                  kind == NULL ? "error" : kind, message == NULL ? "" : ": ", message == NULL ? "" : message,
                  hint == NULL ? "" : " — ", hint == NULL ? "" : hint);
  size_t length;
  const char *line = lua_tolstring(L, -1, &length);
  one_line_push(L, line, length, ERROR_LONGEST_TEXT);
  return 1;
}

/* one .. other */
static int plain_concat(lua_State *L) {
  lua_settop(L, 2);
  for (int i = 1; i <= 2; i++) {
    lua_getglobal(L, "tostring");
    lua_pushvalue(L, i);
    lua_call(L, 1, 1);
  }
  lua_concat(L, 2);
  return 1;
}

static const char *kind_of_status(lua_Integer status) {
  switch (status) {
    case 403: return "forbidden";
    case 404: return "not_found";
    case 408: return "timeout";
    case 409: return "conflict";
    case 429: return "rate_limit";
    default: return status < 400 ? "redirect" : status < 500 ? "request" : "server";
  }
}

/* Replaces the secret that is the field `name` of the table at index in all strings of that table,
   and takes the field out. [-0, +0] */
static void redact(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  lua_pushnil(L);
  lua_setfield(L, index, name);
  size_t length = 0;
  const char *secret = lua_tolstring(L, -1, &length);
  if (length >= SHORTEST_SECRET) {
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
      if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        continue;
      }
      luaL_gsub(L, lua_tostring(L, -1), secret, "***");
      lua_remove(L, -2);
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, index); /* the name stays for lua_next */
    }
  }
  lua_pop(L, 1);
}

/* Completes the table of fields below the reason on top as well as it goes without uipath.errors,
   and makes it an error, in place. What the Lua half would have read or made free of secrets, body
   and headers, is left out. [-1, +0] */
static void make_plain(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__tostring", plain_to_string}, {"__concat", plain_concat}, {NULL, NULL}};
  static const char *const unread[] = {"body", "headers", "_scope", "_folder", "_refused", "_query"};
  int fields = lua_gettop(L) - 1;
  luaL_checkstack(L, 8, NULL);
  for (size_t i = 0; i < sizeof unread / sizeof *unread; i++) {
    lua_pushnil(L);
    lua_setfield(L, fields, unread[i]);
  }
  redact(L, fields, "_token");
  redact(L, fields, "_secret");
  lua_getfield(L, fields, "status");
  lua_getfield(L, fields, "kind");
  lua_getfield(L, fields, "message");
  lua_getfield(L, fields, "hint");
  if (lua_isnil(L, -2)) {
    bool has_failed = lua_isstring(L, -3) && strcmp(lua_tostring(L, -3), "failed") == 0;
    if (has_failed) lua_pushliteral(L, "the service has answered that it, or a part of it, was not done");
    else lua_pushfstring(L, "status %d", (int)lua_tointeger(L, -4));
    lua_setfield(L, fields, "message");
  }
  if (lua_isnil(L, -1)) {
    lua_pushfstring(L, "no more can be told: %s; " PRELOAD_HINT, lua_tostring(L, fields + 1));
    lua_setfield(L, fields, "hint");
  }
  lua_settop(L, fields);
  if (luaL_newmetatable(L, METATABLE)) luaL_setfuncs(L, metamethods, 0);
  lua_setmetatable(L, -2);
}

/* ======================================================================== */
/* With it                                                                  */
/* ======================================================================== */

/* Whether the metatable of errors on top lacks what uipath.errors gives it. [-0, +0] */
static bool is_plain(lua_State *L) {
  lua_getfield(L, -1, "__tostring");
  bool plain = lua_isnil(L, -1) || lua_tocfunction(L, -1) == plain_to_string;
  lua_pop(L, 1);
  return plain;
}

/* Pushes a function of uipath.errors, which gets the metatable of errors when it is loaded; or, where
   that is out of reach, why, and gives false. [-0, +1] */
static bool push_function(lua_State *L, const char *name) {
  if (!lazy_load(L, "uipath.errors")) return false;
  luaL_newmetatable(L, METATABLE);
  if (is_plain(L)) {
    lua_getfield(L, -2, "metamethods");
    for (lua_pushnil(L); lua_next(L, -2) != 0;) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -5); /* metatable[name] = function; the name stays for lua_next */
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  return true;
}

/* Gives the table on top the metatable of errors. [-0, +0] */
static void set_metatable(lua_State *L) {
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
}

/* Sets the kind of the error on top, where it has none yet, by its status. [-0, +0] */
static void set_kind(lua_State *L) {
  lua_getfield(L, -1, "kind");
  lua_getfield(L, -2, "status");
  bool has_kind = !lua_isnil(L, -2);
  const char *kind = lua_isnil(L, -1) ? "failed" : kind_of_status(lua_tointeger(L, -1));
  lua_pop(L, 2);
  if (has_kind) return;
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
}

void error_new(lua_State *L) {
  set_kind(L);
  if (!push_function(L, "complete")) {
    make_plain(L);
    return;
  }
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  set_metatable(L);
}

void error_new_unreachable(lua_State *L) {
  char where[LUA_IDSIZE + 16];
  error_position(L, where, sizeof where);
  lua_createtable(L, 0, 4);
  lua_pushfstring(L, "a Lua file of uipath is out of reach: %s", lua_tostring(L, -2));
  lua_setfield(L, -2, "message");
  lua_pushliteral(L, "file");
  lua_setfield(L, -2, "kind");
  lua_pushliteral(L, PRELOAD_HINT);
  lua_setfield(L, -2, "hint");
  if (where[0] != '\0') {
    lua_pushstring(L, where);
    lua_setfield(L, -2, "where");
  }
  lua_remove(L, -2);
  error_new(L);
}

void error_new_message(lua_State *L, const char *kind) {
  char where[LUA_IDSIZE + 16];
  error_position(L, where, sizeof where);
  lua_createtable(L, 0, 4);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  if (where[0] != '\0') {
    lua_pushstring(L, where);
    lua_setfield(L, -2, "where");
  }
  error_new(L);
}

/* Whether the value at index is an error object. [-0, +0] */
static bool is_error(lua_State *L, int index) {
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, METATABLE);
  bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

int error_is_error(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, is_error(L, 1));
  return 1;
}

/* Pushes what the value at index says, without the position that an error object begins with. [-0, +1] */
static void push_message(lua_State *L, int index) {
  lua_getglobal(L, "tostring");
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  if (!is_error(L, index)) return;
  lua_getfield(L, index, "where");
  size_t length;
  const char *position = lua_tolstring(L, -1, &length), *message = lua_tostring(L, -2);
  lua_pop(L, 1); /* the error keeps it */
  if (position == NULL || strncmp(message, position, length) != 0) return;
  lua_pushstring(L, message + length + strspn(message + length, ": "));
  lua_remove(L, -2);
}

int error_check(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_isnil(L, 1)) return lua_gettop(L);
  lua_settop(L, 2);
  char where[LUA_IDSIZE + 16];
  error_position(L, where, sizeof where);
  if (where[0] != '\0') lua_pushfstring(L, "%s: ", where);
  else lua_pushliteral(L, "");
  if (lua_isnil(L, 2)) lua_pushliteral(L, "no value, and no error");
  else push_message(L, 2);
  lua_concat(L, 2);
  return lua_error(L);
}

/* failure(kind, message [, hint]) → an error object, with the position of the user's code that called us */
static int new_failure(lua_State *L) {
  char where[LUA_IDSIZE + 16];
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 3);
  error_position(L, where, sizeof where);
  lua_createtable(L, 0, 4);
  lua_insert(L, 1);
  lua_setfield(L, 1, "hint");
  lua_setfield(L, 1, "message");
  lua_setfield(L, 1, "kind");
  if (where[0] != '\0') {
    lua_pushstring(L, where);
    lua_setfield(L, 1, "where");
  }
  error_new(L);
  return 1;
}

/* require "uipath.failure": how our own Lua files make errors; Lua's loader finds it in the module's library. */
int luaopen_uipath_failure(lua_State *L) {
  lua_pushcfunction(L, new_failure);
  return 1;
}

/* The directory of our Lua files as chunk names have it, "@…/uipath/", found once per state; "" as long as there is none, as where no
   descriptor is to be had. The string stays in the registry. [-0, +0] */
static const char *own_directory(lua_State *L) {
  int top = lua_gettop(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &directory_key);
  if (!lua_isstring(L, -1)) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushliteral(L, "uipath.errors");
    lua_getfield(L, -3, "path");
    const char *file = lua_pcall(L, 2, 1, 0) == 0 ? lua_tostring(L, -1) : NULL;
    const char *name = file == NULL ? NULL : strrchr(file, '/');
    if (name == NULL) {
      lua_settop(L, top);
      return "";
    }
    lua_pushfstring(L, "@%s", file);
    lua_pushlstring(L, lua_tostring(L, -1), (size_t)(name - file) + 2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &directory_key);
  }
  const char *directory = lua_tostring(L, -1);
  lua_settop(L, top);
  return directory;
}

void error_preload(lua_State *L) {
  if (!push_function(L, "complete")) lua_error(L);
  lua_pop(L, 1);
  own_directory(L);
}

/* Whether a chunk is one of our own files. */
static bool is_own(lua_State *L, const char *source) {
  if (strstr(source, "uipath/") == NULL) return false;
  const char *directory = own_directory(L);
  return directory[0] != '\0' && strncmp(source, directory, strlen(directory)) == 0;
}

void error_position(lua_State *L, char *where, size_t size) {
  lua_Debug level;
  where[0] = '\0';
  for (int i = 1; lua_getstack(L, i, &level); i++) {
    lua_getinfo(L, "Sl", &level);
    if (level.currentline <= 0 || is_own(L, level.source)) continue;
    snprintf(where, size, "%s:%d", level.short_src, level.currentline);
    return;
  }
}

/* raise(message): raises it with the position of the user's code instead of one of ours */
static int internal_raise(lua_State *L) {
  char where[LUA_IDSIZE + 16];
  error_position(L, where, sizeof where);
  lua_settop(L, 1);
  if (where[0] == '\0' || lua_type(L, 1) != LUA_TSTRING) return lua_error(L);
  const char *message = lua_tostring(L, 1), *inside = strstr(message, "uipath/");
  /* "…/uipath/name.lua:12: " in front is a position of ours, which luaL_error has put there. */
  const char *position = inside == NULL ? NULL : strstr(inside, ".lua:");
  if (position != NULL) {
    const char *end = position + strlen(".lua:");
    end += strspn(end, "0123456789");
    if (end[0] == ':' && end[1] == ' ' && memchr(message, ' ', (size_t)(end - message)) == NULL) message = end + 2;
  }
  lua_pushfstring(L, "%s: %s", where, message);
  return lua_error(L);
}

/* error(kind, message, fields) → an error object with the user's position; fields are added */
static int internal_error(lua_State *L) {
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  error_new_message(L, luaL_checkstring(L, 1));
  if (lua_istable(L, 3)) {
    for (lua_pushnil(L); lua_next(L, 3) != 0;) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -4);
    }
  }
  return 1;
}

void error_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {{"raise", internal_raise}, {"error", internal_error}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, ERROR_LONGEST_TEXT);
  lua_setfield(L, -2, "longest_error");
}
