#include "lazy.h"

#include <string.h>

/* __index(table, name): upvalue 1 is the list of names. The value is kept in the table. A module that cannot be had raises, as require does: it
   is a part of ours. */
static int look_up(lua_State *L) {
  const struct lazy_name *each = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  while (each->name != NULL && strcmp(each->name, name) != 0) each++;
  if (each->name == NULL) return 0;
  lua_getglobal(L, "require");
  lua_pushstring(L, each->module);
  lua_call(L, 1, 1);
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
