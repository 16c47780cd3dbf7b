/* The floor of decoding: makes the tables of a value that is known already, with exact sizes, the names and the
   strings that recur made once. No decoder that uses Lua's C interface can be faster.

   floor.compile(value) -> tape, floor.build(tape) -> the value again */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/compat.h"

#define TAPE "floor.tape"
/* LuaJIT's stack has 8000 slots. */
#define MAX_SLOTS 4000

enum kind { KIND_NULL, KIND_FALSE, KIND_TRUE, KIND_INTEGER, KIND_NUMBER, KIND_STRING, KIND_SLOT, KIND_ARRAY, KIND_OBJECT };

struct entry {
  enum kind kind;
  int count; /* of items, members or bytes; a slot's index */
  union {
    lua_Integer integer;
    lua_Number number;
    char *text;
  } is;
};

struct tape {
  struct entry *entries, slots[MAX_SLOTS];
  int count, capacity, slot_count;
};

static struct entry *append(struct tape *tape, enum kind kind, int count) {
  if (tape->count == tape->capacity) {
    tape->capacity = tape->capacity * 2 + 64;
    tape->entries = realloc(tape->entries, (size_t)tape->capacity * sizeof *tape->entries);
    if (tape->entries == NULL) abort();
  }
  struct entry *entry = &tape->entries[tape->count++];
  entry->kind = kind;
  entry->count = count;
  return entry;
}

static char *copy(const char *text, size_t length) {
  char *copied = malloc(length + 1);
  if (copied == NULL) abort();
  return memcpy(copied, text, length + 1);
}

/* Appends the string at index. seen, a table: how often each string was seen, -slot once it has one. [-0, +0] */
static void compile_string(lua_State *L, struct tape *tape, int index, int seen) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  lua_pushvalue(L, index);
  lua_rawget(L, seen);
  int slot = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (slot > 0) {
    append(tape, KIND_SLOT, slot);
  } else {
    append(tape, KIND_STRING, (int)length)->is.text = copy(text, length);
  }
}

/* Counts the strings of the value at index in the table at `seen`. [-0, +0] */
static void count_strings(lua_State *L, int index, int seen) {
  luaL_checkstack(L, 8, NULL);
  if (lua_type(L, index) == LUA_TSTRING) {
    lua_pushvalue(L, index);
    lua_rawget(L, seen);
    lua_pushvalue(L, index);
    lua_pushinteger(L, lua_tointeger(L, -2) - 1);
    lua_rawset(L, seen);
    lua_pop(L, 1);
  } else if (lua_istable(L, index)) {
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
      int top = lua_gettop(L);
      count_strings(L, top - 1, seen);
      count_strings(L, top, seen);
    }
  }
}

/* Appends the value at index. [-0, +0] */
static void compile_value(lua_State *L, struct tape *tape, int index, int seen) {
  luaL_checkstack(L, 8, NULL);
  switch (lua_type(L, index)) {
    case LUA_TLIGHTUSERDATA: append(tape, KIND_NULL, 0); return;
    case LUA_TBOOLEAN: append(tape, lua_toboolean(L, index) ? KIND_TRUE : KIND_FALSE, 0); return;
    case LUA_TSTRING: compile_string(L, tape, index, seen); return;
    case LUA_TNUMBER:
#if COMPAT_EXACT_INTEGERS
      if (lua_isinteger(L, index)) {
        append(tape, KIND_INTEGER, 0)->is.integer = lua_tointeger(L, index);
        return;
      }
#endif
      append(tape, KIND_NUMBER, 0)->is.number = lua_tonumber(L, index);
      return;
    default: break;
  }
  int items = (int)lua_rawlen(L, index);
  if (items > 0) {
    append(tape, KIND_ARRAY, items);
    for (int i = 1; i <= items; i++) {
      lua_rawgeti(L, index, i);
      compile_value(L, tape, lua_gettop(L), seen);
      lua_pop(L, 1);
    }
    return;
  }
  int members = 0;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) members++;
  append(tape, KIND_OBJECT, members);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    int top = lua_gettop(L);
    compile_string(L, tape, top - 1, seen);
    compile_value(L, tape, top, seen);
  }
}

static int tape_gc(lua_State *L) {
  struct tape *tape = luaL_checkudata(L, 1, TAPE);
  for (int i = 0; i < tape->count; i++)
    if (tape->entries[i].kind == KIND_STRING) free(tape->entries[i].is.text);
  for (int i = 0; i < tape->slot_count; i++) free(tape->slots[i].is.text);
  free(tape->entries);
  return 0;
}

static int compile(lua_State *L) {
  lua_settop(L, 1);
  struct tape *tape = lua_newuserdata(L, sizeof *tape);
  memset(tape, 0, sizeof *tape);
  luaL_setmetatable(L, TAPE);
  lua_newtable(L);
  count_strings(L, 1, 3);
  /* The strings that were seen more than once get the slots. */
  for (lua_pushnil(L); lua_next(L, 3) != 0; lua_pop(L, 1)) {
    if (lua_tointeger(L, -1) >= -1 || tape->slot_count == MAX_SLOTS) continue;
    size_t length;
    const char *text = lua_tolstring(L, -2, &length);
    tape->slots[tape->slot_count++] = (struct entry){KIND_STRING, (int)length, {.text = copy(text, length)}};
    lua_pushvalue(L, -2);
    lua_pushinteger(L, tape->slot_count);
    lua_rawset(L, 3);
  }
  compile_value(L, tape, 1, 3);
  lua_settop(L, 2);
  return 1;
}

/* Pushes the value at *entry and moves on behind it. first: stack index of slot 1. [-0, +1] */
static void build_value(lua_State *L, const struct entry **next, int first) {
  const struct entry *entry = (*next)++;
  switch (entry->kind) {
    case KIND_NULL: lua_pushlightuserdata(L, NULL); return;
    case KIND_FALSE: lua_pushboolean(L, 0); return;
    case KIND_TRUE: lua_pushboolean(L, 1); return;
    case KIND_INTEGER: lua_pushinteger(L, entry->is.integer); return;
    case KIND_NUMBER: lua_pushnumber(L, entry->is.number); return;
    case KIND_STRING: lua_pushlstring(L, entry->is.text, (size_t)entry->count); return;
    case KIND_SLOT: lua_pushvalue(L, first + entry->count - 1); return;
    case KIND_ARRAY:
      luaL_checkstack(L, 4, NULL);
      lua_createtable(L, entry->count, 0);
      for (int i = 1; i <= entry->count; i++) {
        build_value(L, next, first);
        lua_rawseti(L, -2, i);
      }
      return;
    case KIND_OBJECT:
      luaL_checkstack(L, 4, NULL);
      lua_createtable(L, 0, entry->count);
      for (int i = 0; i < entry->count; i++) {
        build_value(L, next, first);
        build_value(L, next, first);
        lua_rawset(L, -3);
      }
      return;
  }
}

static int build(lua_State *L) {
  const struct tape *tape = luaL_checkudata(L, 1, TAPE);
  luaL_checkstack(L, tape->slot_count + 8, NULL);
  for (int i = 0; i < tape->slot_count; i++)
    lua_pushlstring(L, tape->slots[i].is.text, (size_t)tape->slots[i].count);
  const struct entry *next = tape->entries;
  build_value(L, &next, 2);
  return 1;
}

int luaopen_json_floor(lua_State *L);

int luaopen_json_floor(lua_State *L) {
  static const luaL_Reg functions[] = {{"compile", compile}, {"build", build}, {NULL, NULL}};
  luaL_newmetatable(L, TAPE);
  lua_pushcfunction(L, tape_gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
