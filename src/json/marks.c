#include "marks.h"

#include <lauxlib.h>

#include "../compat.h"
#include "json.h"

#define OWN_METATABLE "uipath.array"

/* registry[&array_metatable_key] = the metatable that json_push_array_metatable chose. */
static const char array_metatable_key = 0;

/* Gives cjson's array_mt, or nothing: require("cjson").array_mt. May raise. */
static int find_cjson_metatable(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "cjson");
  if (!lua_istable(L, -1)) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
  }
  if (!lua_istable(L, -1)) return 0;
  lua_getfield(L, -1, "array_mt");
  return 1;
}

void json_push_array_metatable(lua_State *L) {
  luaL_checkstack(L, 8, NULL);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &array_metatable_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_pushcfunction(L, find_cjson_metatable);
  if (lua_pcall(L, 0, 1, 0) == LUA_ERRMEM) lua_error(L);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    luaL_newmetatable(L, OWN_METATABLE);
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &array_metatable_key);
}

/* Whether the value on top is one of the marks in the module's table, if it is loaded. [-0, +0] */
static bool is_mark_of(lua_State *L, const char *module) {
  static const char *const marks[] = {"array_mt", "empty_array_mt", "empty_array"};
  int mark = lua_gettop(L);
  bool found = false;
  lua_pushliteral(L, "_LOADED");
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushstring(L, module);
  lua_rawget(L, -2);
  for (size_t i = 0; lua_istable(L, -1) && !found && i < sizeof marks / sizeof *marks; i++) {
    lua_pushstring(L, marks[i]);
    lua_rawget(L, -2);
    found = lua_rawequal(L, -1, mark);
    lua_pop(L, 1);
  }
  lua_settop(L, mark);
  return found;
}

bool marks_array(lua_State *L, int index) {
  luaL_checkstack(L, 8, NULL);
  if (!lua_istable(L, index)) lua_pushvalue(L, index);
  else if (!lua_getmetatable(L, index)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &array_metatable_key);
  bool found = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  found = found || is_mark_of(L, "cjson") || is_mark_of(L, "cjson.safe");
  lua_pop(L, 1);
  return found;
}
