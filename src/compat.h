/* What Lua 5.4 has and Lua 5.3 or LuaJIT (the 5.1 interface with a few 5.2 functions) has not, in one
   place. */
#ifndef UIPATH_COMPAT_H
#define UIPATH_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#if LUA_VERSION_NUM == 501
#if !__has_include(<luajit.h>)
#error "uipath is for Lua 5.3 to 5.5 and LuaJIT, and these are Lua 5.1's headers: say where LuaJIT's are (luarocks: LUA_INCDIR, see make LUA=luajit rock-vars)"
#endif
#elif defined LUA_VERSION_NUM && LUA_VERSION_NUM < 503
#error "uipath is for Lua 5.3 to 5.5 and LuaJIT: these headers are of another Lua"
#endif

#if LUA_VERSION_NUM == 501

#define LUA_OK 0
#define lua_rawlen lua_objlen

/* Integers are doubles here: exact up to 2^53 either way. */
#define COMPAT_EXACT_INTEGERS 0

/* Pushes an integer; as a number, because lua_Integer has 32 bits on machines of 32 bits. [-0, +1] */
static inline void compat_push_int64(lua_State *L, int64_t integer) {
  lua_pushnumber(L, (lua_Number)integer);
}

static inline int compat_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}
#define lua_absindex compat_absindex

/* Pushes table[key] for a light userdata key, without metamethods; [-0, +1]. Gives the type. */
static inline int compat_rawgetp(lua_State *L, int index, const void *key) {
  index = compat_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_rawget(L, index);
  return lua_type(L, -1);
}
#define lua_rawgetp compat_rawgetp

/* table[key] = the value on top for a light userdata key, without metamethods; [-1, +0]. */
static inline void compat_rawsetp(lua_State *L, int index, const void *key) {
  index = compat_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}
#define lua_rawsetp compat_rawsetp

/* One user value, which must be a table. */
#define lua_newuserdatauv(L, size, count) lua_newuserdata(L, size)
#define lua_setiuservalue(L, index, n) lua_setfenv(L, index)
#define lua_getiuservalue(L, index, n) lua_getfenv(L, index)

#else

#define COMPAT_EXACT_INTEGERS 1

static inline void compat_push_int64(lua_State *L, int64_t integer) {
  lua_pushinteger(L, (lua_Integer)integer);
}

/* A size_t, as lua_objlen's is: Lua's own type has 64 bits on machines of 32 bits, too. */
static inline size_t compat_rawlen(lua_State *L, int index) {
  return (size_t)lua_rawlen(L, index);
}
#define lua_rawlen compat_rawlen

#if LUA_VERSION_NUM == 503
/* One user value, as everywhere here. */
#define lua_newuserdatauv(L, size, count) lua_newuserdata(L, size)
#define lua_setiuservalue(L, index, n) lua_setuservalue(L, index)
#define lua_getiuservalue(L, index, n) lua_getuservalue(L, index)
#endif

#endif
#endif
