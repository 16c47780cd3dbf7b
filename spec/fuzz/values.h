/* A Lua state for the targets that need one, and comparing what is on its stack. */
#ifndef FUZZ_VALUES_H
#define FUZZ_VALUES_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/json/json.h"
#include "../../src/json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void expect(int condition) {
  if (!condition) abort();
}

static const char same_source[] =
    "local function same(a, b)\n"
    "  if math.type(a) ~= math.type(b) then return false end\n"
    "  if type(a) == 'number' then return a == b and 1 / a == 1 / b end\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  if next(a) == nil and getmetatable(a) ~= getmetatable(b) then return false end\n"
    "  for key, value in pairs(a) do if not same(value, b[key]) then return false end end\n"
    "  for key in pairs(b) do if a[key] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "return same";

/* The state that all inputs of a target share, with nothing on its stack. The collector is busy, so that what is not
   anchored is soon gone. */
static inline lua_State *shared_state(void) {
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    expect(L != NULL);
    luaL_openlibs(L);
    expect(luaL_dostring(L, same_source) == LUA_OK);
    lua_setfield(L, LUA_REGISTRYINDEX, "same");
    lua_gc(L, LUA_GCINC, 100, 1000, 10);
  }
  lua_settop(L, 0);
  return L;
}

/* Checks that the value on top, written and read again, is the same. [-1, +0] */
static inline void check_there_and_back(lua_State *L) {
  size_t length;
  lua_getfield(L, LUA_REGISTRYINDEX, "same");
  lua_insert(L, -2);
  expect(json_encode(L, -1));
  const char *text = lua_tolstring(L, -1, &length);
  expect(json_decode(L, text, length, NULL));
  lua_remove(L, -2);
  lua_call(L, 2, 1);
  expect(lua_toboolean(L, -1));
  lua_pop(L, 1);
}

#endif
