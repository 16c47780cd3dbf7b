#include "lazy.h"

#include <string.h>

#include "error.h"

bool lazy_load(lua_State *L, const char *module) {
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) return true;
  const char *reason = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (status == LUA_ERRMEM || reason == NULL || strstr(reason, "interrupted!") != NULL)
    return lua_error(L) != 0; /* which never returns */
  /* The places where it was looked for, which follow, are many. */
  lua_pushlstring(L, reason, strcspn(reason, "\n"));
  lua_remove(L, -2);
  return false;
}

/* A function whose module is out of reach: gives nil and an error. Upvalue 1 is why. */
static int out_of_reach(lua_State *L) {
  lua_pushnil(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  error_new_unreachable(L);
  return 2;
}

/* __index(table, name): upvalue 1 is the list of names. The value is kept in the table, but for one
   that is out of reach: it may be within reach the next time. */
static int look_up(lua_State *L) {
  const struct lazy_name *each = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  while (each->name != NULL && strcmp(each->name, name) != 0) each++;
  if (each->name == NULL) return 0;
  if (!lazy_load(L, each->module)) {
    if (!each->raises) {
      lua_pushcclosure(L, out_of_reach, 1);
      return 1;
    }
    error_new_unreachable(L);
    return lua_error(L);
  }
  lua_getfield(L, -1, name);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* names() → the list of names: for completion at the prompt */
static int list_names(lua_State *L) {
  int count = 0;
  lua_newtable(L);
  for (const struct lazy_name *each = lua_touserdata(L, lua_upvalueindex(1)); each->name != NULL; each++) {
    lua_pushstring(L, each->name);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

void lazy_add(lua_State *L, const struct lazy_name *names) {
  lua_createtable(L, 0, 2);
  lua_pushlightuserdata(L, (void *)names);
  lua_pushcclosure(L, look_up, 1);
  lua_setfield(L, -2, "__index");
  lua_pushlightuserdata(L, (void *)names);
  lua_pushcclosure(L, list_names, 1);
  lua_setfield(L, -2, "names");
  lua_setmetatable(L, -2);
}
