#include "weak_table.h"

void weak_table_push(lua_State *L, const void *address, const char *mode) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, address) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, address);
}
