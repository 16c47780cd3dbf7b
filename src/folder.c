#include "folder.h"

#include <lauxlib.h>
#include <math.h>

#include "compat.h"
#include "engine/folder_header.h"
#include "engine/text.h"

/* The whole number from 1 at index; 0 if it is none, or beyond what this Lua has exactly. [-0, +0] */
static int64_t folder_id(lua_State *L, int index) {
  lua_Number number = lua_tonumber(L, index);
  if (!(number >= 1 && number == floor(number))) return 0;
#if COMPAT_EXACT_INTEGERS
  return lua_tointeger(L, index);
#else
  return number <= 9007199254740992.0 ? (int64_t)number : 0; /* 2^53 */
#endif
}

void folder_check(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) == LUA_TNUMBER) {
    if (folder_id(L, index) == 0) luaL_error(L, "%s: a folder's id is a whole number from 1", what);
    return;
  }
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_error(L, "%s must be a folder's id (a number), key (a GUID) or path (a string), got %s",
               what, luaL_typename(L, index));
  size_t length;
  const char *path = lua_tolstring(L, index, &length);
  if (length == 0) luaL_error(L, "%s must not be empty", what);
  size_t end = length;
  while (end > 0 && path[end - 1] == '/') end--;
  if (end == 0) luaL_error(L, "%s must be more than '/'", what);
  if (text_has_control(path, length)) luaL_error(L, "%s must not contain control characters", what);
  if (!text_is_utf8(path, length)) luaL_error(L, "%s is not valid UTF-8", what);
  if (end == length) return;
  index = lua_absindex(L, index);
  lua_pushlstring(L, path, end);
  lua_replace(L, index);
}

bool folder_add_header(lua_State *L, int index, struct call_request *request) {
  if (lua_type(L, index) == LUA_TNUMBER) return folder_header_add_id(request, folder_id(L, index));
  size_t length;
  const char *path = lua_tolstring(L, index, &length);
  return folder_header_add_path(request, path, length);
}
