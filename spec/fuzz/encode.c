/* The encoder: a value that the input describes is the same when written and read again, or there is an error with a
   path. */
#include <math.h>

#include "values.h"

struct input {
  const uint8_t *at, *end;
};

static uint8_t next_byte(struct input *input) {
  return input->at < input->end ? *input->at++ : 0;
}

/* Pushes a string of the next bytes: the first tells how many. [-0, +1] */
static void push_string(lua_State *L, struct input *input) {
  size_t length = next_byte(input) % 48, left = (size_t)(input->end - input->at);
  if (length > left) length = left;
  lua_pushlstring(L, (const char *)input->at, length);
  input->at += length;
}

/* Gives 64 bits of the next bytes. */
static uint64_t next_bits(struct input *input) {
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) bits = bits << 8 | next_byte(input);
  return bits;
}

static void push_number(lua_State *L, struct input *input) {
  uint64_t bits = next_bits(input);
  double number;
  memcpy(&number, &bits, sizeof number);
  lua_pushnumber(L, number);
}

static void push_value(lua_State *L, struct input *input, int depth);

/* Pushes a table: pairs of any key, or items, or members. [-0, +1] */
static void push_table(lua_State *L, struct input *input, int depth) {
  int kind = next_byte(input) % 4, count = next_byte(input) % 40;
  lua_newtable(L);
  for (int i = 1; i <= count && input->at < input->end; i++) {
    if (kind == 0) {
      push_value(L, input, 0);
      if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1)))) {
        lua_pop(L, 1);
        continue;
      }
    } else if (kind == 1) {
      push_string(L, input);
    } else {
      lua_pushinteger(L, i);
    }
    if (next_byte(input) == 255)
      lua_pushvalue(L, 1); /* the whole value: a cycle, unless it is none yet */
    else
      push_value(L, input, depth - 1);
    lua_rawset(L, -3);
  }
  lua_pushnil(L);
  bool empty = lua_next(L, -2) == 0;
  if (!empty) lua_pop(L, 2);
  /* What is full comes back without the mark. */
  if (kind == 3 && empty) {
    json_push_array_metatable(L);
    lua_setmetatable(L, -2);
  }
}

/* Pushes the next value. [-0, +1] */
static void push_value(lua_State *L, struct input *input, int depth) {
  luaL_checkstack(L, 8, NULL);
  uint8_t kind = next_byte(input);
  if (depth > 0 && kind >= 128) {
    push_table(L, input, depth);
    return;
  }
  switch (kind % 16) {
    case 0:
      lua_pushlightuserdata(L, NULL);
      return;
    case 1:
      lua_pushboolean(L, kind >= 16);
      return;
    case 2:
      lua_pushinteger(L, next_byte(input));
      return;
    case 3:
      lua_pushinteger(L, (lua_Integer)next_bits(input));
      return;
    case 4:
      push_number(L, input);
      return;
    case 5:
      lua_pushnumber(L, (lua_Number)next_byte(input) / 100);
      return;
    case 6:
      if (kind == 6)
        lua_pushcfunction(L, luaopen_base);
      else
        lua_pushinteger(L, 6);
      return;
    case 7:
      if (kind == 7)
        lua_pushnil(L);
      else
        lua_pushnumber(L, 0.1);
      return;
    default:
      push_string(L, input);
      return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = shared_state();
  struct input input = {data, data + size};
  push_value(L, &input, 12);
  if (json_encode(L, 1)) {
    lua_settop(L, 1);
    check_there_and_back(L);
  } else {
    const char *message = lua_tostring(L, -1);
    expect(strncmp(message, "value", 5) == 0 || strncmp(message, "...", 3) == 0);
  }
  return 0;
}
