#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../compat.h"
#include "block.h"
#include "json.h"
#include "marks.h"
#include "number.h"
#include "scan.h"

/* ======================================================================== */
/* State                                                                    */
/* ======================================================================== */

/* A table on the way to the value that is being written. */
struct level {
  const struct level *parent; /* NULL: it is the whole value */
  const void *table;
  int key_slot; /* stack index of the current member's name; 0: it is an array */
  int item;     /* else the current item's index */
  int depth;    /* 1: it is the whole value */
};

#define SMALL_TEXT 1024

/* A userdata that frees a larger text if an error is raised. The text is no userdata itself because it can then be
   enlarged where it is, and be given back as soon as it is done. */
struct owner {
  char *text; /* of the state's allocator */
  size_t capacity;
};

struct encoder {
  lua_State *L;
  int owner_slot; /* stack index: the owner, or nil while the text is in small */
  struct owner *owner;
  char *text, *to, *text_end;
  char small[SMALL_TEXT];
};

static bool encode_value(struct encoder *encoder, int index, const struct level *parent);

/* ======================================================================== */
/* The text                                                                 */
/* ======================================================================== */

/* Frees the text of the owner, which is on the stack. Also its __gc. [-0, +0] */
static int free_text(lua_State *L) {
  struct owner *owner = lua_touserdata(L, -1);
  void *data;
  lua_Alloc allocate = lua_getallocf(L, &data);
  if (owner->text != NULL) allocate(data, owner->text, owner->capacity, 0);
  owner->text = NULL;
  return 0;
}

/* Makes the owner. [-0, +0] */
static void own_text(struct encoder *encoder) {
  lua_State *L = encoder->L;
  encoder->owner = lua_newuserdata(L, sizeof *encoder->owner);
  *encoder->owner = (struct owner){NULL, 0};
  /* Each time: memory may have run out between the table and its field, and LuaJIT keeps the table. */
  luaL_newmetatable(L, "uipath.json.text");
  lua_pushcfunction(L, free_text);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_replace(L, encoder->owner_slot);
}

/* Enlarges the owner's text; raises "not enough memory" in a message, as Lua's own library does. [-0, +0] */
static void enlarge(lua_State *L, struct owner *owner, size_t capacity) {
  void *data;
  lua_Alloc allocate = lua_getallocf(L, &data);
  char *larger = allocate(data, owner->text, owner->capacity, capacity);
  if (larger == NULL) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    larger = allocate(data, owner->text, owner->capacity, capacity);
  }
  if (larger == NULL) {
    luaL_error(L, "not enough memory");
    return; /* which luaL_error does not do */
  }
  *owner = (struct owner){larger, capacity};
}

/* Makes room for `more` further bytes, and for as much again as there is. [-0, +0] */
__attribute__((noinline)) static void grow(struct encoder *encoder, size_t more) {
  size_t used = (size_t)(encoder->to - encoder->text);
  size_t capacity = 2 * (size_t)(encoder->text_end - encoder->text) + more;
  bool first = encoder->owner == NULL;
  luaL_checkstack(encoder->L, 4, NULL);
  if (first) own_text(encoder);
  enlarge(encoder->L, encoder->owner, capacity);
  if (first) memcpy(encoder->owner->text, encoder->text, used);
  encoder->text = encoder->owner->text;
  encoder->to = encoder->text + used;
  encoder->text_end = encoder->text + capacity;
}

/* Makes sure that there is room for `more` further bytes. [-0, +0] */
static inline void reserve(struct encoder *encoder, size_t more) {
  if ((size_t)(encoder->text_end - encoder->to) < more) grow(encoder, more);
}

/* Appends one byte. [-0, +0] */
static inline void write_char(struct encoder *encoder, char c) {
  reserve(encoder, 1);
  *encoder->to++ = c;
}

/* Appends bytes. [-0, +0] */
static void write_text(struct encoder *encoder, const char *text, size_t length) {
  reserve(encoder, length);
  memcpy(encoder->to, text, length);
  encoder->to += length;
}

/* ======================================================================== */
/* Errors                                                                   */
/* ======================================================================== */

/* Of a longer path only the end is told. */
#define MAX_PATH_LEVELS 20

/* Whether .name is how Lua would write the member. */
static bool is_identifier(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return *name != '\0' && !(*name >= '0' && *name <= '9') && name[strspn(name, letters)] == '\0';
}

/* Pushes the path to the current value in the level's table, such as value.rows[3].Name. [-0, +1] */
static void push_path(lua_State *L, const struct level *level, int levels) {
  if (level == NULL || levels == 0) {
    lua_pushstring(L, level == NULL ? "value" : "...");
    return;
  }
  luaL_checkstack(L, 4, NULL);
  push_path(L, level->parent, levels - 1);
  const char *path = lua_tostring(L, -1);
  if (level->key_slot == 0) {
    lua_pushfstring(L, "%s[%d]", path, level->item);
  } else {
    const char *name = lua_tostring(L, level->key_slot);
    lua_pushfstring(L, is_identifier(name) ? "%s.%s" : "%s[\"%s\"]", path, name);
  }
  lua_remove(L, -2);
}

/* Pushes the path and what is wrong with the value there; gives false. [-0, +1] */
static bool fail(struct encoder *encoder, const struct level *level, const char *message) {
  luaL_checkstack(encoder->L, 4, NULL);
  push_path(encoder->L, level, MAX_PATH_LEVELS);
  lua_pushfstring(encoder->L, "%s %s", lua_tostring(encoder->L, -1), message);
  return false;
}

/* ======================================================================== */
/* Scalars                                                                  */
/* ======================================================================== */

/* The longest escape, \u001f. */
#define MAX_ESCAPE 6

/* Writes the escape of an ASCII character that is not plain; gives the place behind it. */
static char *write_escape(char *to, char c) {
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
  *to++ = '\\';
  for (const char *pair = letters; *pair != '\0'; pair += 2) {
    if (*pair != c) continue;
    *to++ = pair[1];
    return to;
  }
  to[0] = 'u';
  to[1] = to[2] = '0';
  to[3] = (char)('0' + (c >> 4));
  to[4] = "0123456789abcdef"[c & 15];
  return to + 5;
}

/* What may be written behind a string that is still to come, at each of its bytes: an escape in place of one, or a
   block, of which only some bytes are due, and the quote. */
#define STRING_ROOM (MAX_ESCAPE + BLOCK_SIZE + 1)

/* Writes the rest of a string, which is not all plain, and the closing quote. There is room for the rest as it is
   and STRING_ROOM. false: it is not valid UTF-8. [-0, +0] */
static bool write_special(struct encoder *encoder, const char *from, const char *end) {
  while (from < end) {
    if (block_is_plain(*from)) {
      *encoder->to++ = *from++;
    } else if ((signed char)*from >= 0) {
      encoder->to = write_escape(encoder->to, *from++);
      reserve(encoder, (size_t)(end - from) + STRING_ROOM);
    } else {
      size_t sequence = json_sequence_length(from, end);
      if (sequence == 0) return false;
      memcpy(encoder->to, from, sequence);
      encoder->to += sequence;
      from += sequence;
      continue;
    }
    while (end - from >= BLOCK_SIZE) {
      size_t plain = block_first(block_special(from));
      memcpy(encoder->to, from, BLOCK_SIZE);
      encoder->to += plain;
      from += plain;
      if (plain < BLOCK_SIZE) break;
    }
  }
  *encoder->to++ = '"';
  return true;
}

/* Writes a string in quotes; there is room for another byte behind it. false: it is not valid UTF-8. [-0, +0] */
static bool write_string(struct encoder *encoder, const char *from, size_t length) {
  reserve(encoder, 1 + length + STRING_ROOM + 1);
  *encoder->to++ = '"';
  /* The copy is what is looked at: it may be read beyond its end. */
  char *copy = encoder->to;
  memcpy(copy, from, length);
  memset(copy + length, ' ', BLOCK_SIZE);
  for (size_t i = 0; i < length; i += BLOCK_SIZE) {
    unsigned special = block_special(copy + i);
    if (special == 0) continue;
    i += block_first(special);
    encoder->to += i;
    return write_special(encoder, from + i, from + length);
  }
  copy[length] = '"';
  encoder->to += length + 1;
  return true;
}

/* Up to here every whole number is a double. */
#define MAX_EXACT_INTEGER 9007199254740992.0

/* Writes the number at index. */
__attribute__((noinline)) static bool encode_number(struct encoder *encoder, int index, const struct level *parent) {
  lua_State *L = encoder->L;
  reserve(encoder, NUMBER_MAX_LENGTH);
#if COMPAT_EXACT_INTEGERS
  if (lua_isinteger(L, index)) {
    encoder->to += number_write_integer(encoder->to, lua_tointeger(L, index));
    return true;
  }
#endif
  lua_Number number = lua_tonumber(L, index);
  if (number != number) return fail(encoder, parent, "is not a number (NaN)");
  if (number - number != 0) return fail(encoder, parent, "is infinite");
  /* Where all numbers are doubles, those that are whole are integers as long as they are exact. */
  bool whole = !COMPAT_EXACT_INTEGERS && fabs(number) <= MAX_EXACT_INTEGER && floor(number) == number;
  if (whole && !(number == 0 && signbit(number))) {
    encoder->to += number_write_integer(encoder->to, (int64_t)number);
  } else {
    encoder->to += number_write_double(encoder->to, number);
  }
  return true;
}

/* Writes LuaJIT's int64_t and uint64_t, whose tostring is their digits and LL or ULL. */
static bool encode_cdata(struct encoder *encoder, int index, const struct level *parent) {
  lua_State *L = encoder->L;
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  if (luaL_getmetafield(L, index, "__tostring")) {
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == LUA_ERRMEM) lua_error(L);
    const char *text = lua_tostring(L, -1);
    size_t length = text == NULL ? 0 : strspn(text, "-0123456789");
    if (length > 0 && (strcmp(text + length, "LL") == 0 || strcmp(text + length, "ULL") == 0)) {
      write_text(encoder, text, length);
      lua_settop(L, top);
      return true;
    }
  }
  return fail(encoder, parent, "is cdata other than an int64_t or uint64_t");
}

/* ======================================================================== */
/* Tables                                                                   */
/* ======================================================================== */

/* Says what is wrong with the key at index in a table that already has keys of another kind; gives false.
   [-0, +1] */
static bool fail_at_key(struct encoder *encoder, int index, const struct level *parent) {
  int type = lua_type(encoder->L, index);
  if (type == LUA_TSTRING || type == LUA_TNUMBER)
    return fail(encoder, parent, "mixes array items and named members");
  return fail(encoder, parent, "has a key that is neither a string nor an array index");
}

/* Whether the table at index is a sequence 1 to *count with nothing beside it. true: [-0, +0]; false: the
   message is on top. */
static bool count_items(struct encoder *encoder, int index, const struct level *parent, int *count) {
  lua_State *L = encoder->L;
  lua_Number greatest = 0;
  *count = 0;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TNUMBER) return fail_at_key(encoder, -2, parent);
    lua_Number key = lua_tonumber(L, -2);
    if (!(key >= 1) || floor(key) != key) return fail(encoder, parent, "has a number as a key that is no array index");
    if (key > greatest) greatest = key;
    ++*count;
  }
  return greatest == *count || fail(encoder, parent, "is an array with holes");
}

/* Writes the table at index, which is not empty, as an array. level: its own. */
static bool encode_array(struct encoder *encoder, int index, struct level *level) {
  lua_State *L = encoder->L;
  int count;
  if (!count_items(encoder, index, level->parent, &count)) return false;
  write_char(encoder, '[');
  for (level->item = 1; level->item <= count; level->item++) {
    if (level->item > 1) write_char(encoder, ',');
    lua_rawgeti(L, index, level->item);
    if (!encode_value(encoder, lua_gettop(L), level)) return false;
    lua_pop(L, 1);
  }
  write_char(encoder, ']');
  return true;
}

/* Writes the table at index as an object. Its first member lies on the stack. level: its own. [-2, +0] */
static bool encode_object(struct encoder *encoder, int index, struct level *level) {
  lua_State *L = encoder->L;
  char before = '{';
  level->key_slot = lua_gettop(L) - 1;
  do {
    if (lua_type(L, level->key_slot) != LUA_TSTRING)
      return fail_at_key(encoder, level->key_slot, level->parent);
    size_t length;
    const char *name = lua_tolstring(L, level->key_slot, &length);
    write_char(encoder, before);
    if (!write_string(encoder, name, length)) return fail(encoder, level->parent, "has a key that is not valid UTF-8");
    *encoder->to++ = ':';
    if (!encode_value(encoder, level->key_slot + 1, level)) return false;
    lua_pop(L, 1);
    before = ',';
  } while (lua_next(L, index) != 0);
  write_char(encoder, '}');
  return true;
}

/* Writes the table at index. */
__attribute__((noinline)) static bool encode_table(struct encoder *encoder, int index, const struct level *parent) {
  lua_State *L = encoder->L;
  struct level level = {.parent = parent, .table = lua_topointer(L, index)};
  level.depth = parent == NULL ? 1 : parent->depth + 1;
  for (const struct level *above = parent; above != NULL; above = above->parent)
    if (above->table == level.table) return fail(encoder, parent, "is a table that contains itself");
  if (level.depth > JSON_MAX_DEPTH) return fail(encoder, parent, JSON_TOO_DEEP);
  if (!lua_checkstack(L, LUA_MINSTACK)) return fail(encoder, parent, "is nested too deep for the Lua stack");
  bool marked = marks_array(L, index);
  lua_pushnil(L);
  if (lua_next(L, index) == 0) {
    write_text(encoder, marked ? "[]" : "{}", 2);
    return true;
  }
  if (!marked && lua_type(L, -2) == LUA_TSTRING) return encode_object(encoder, index, &level);
  lua_pop(L, 2);
  return encode_array(encoder, index, &level);
}

/* ======================================================================== */
/* Values                                                                   */
/* ======================================================================== */

/* LuaJIT's, which has no name in lua.h. */
#define TYPE_CDATA 10

/* Writes the value at index, an absolute one. parent: the table that it is in, or NULL. true: [-0, +0];
   false: the message is on top. */
static bool encode_value(struct encoder *encoder, int index, const struct level *parent) {
  lua_State *L = encoder->L;
  int type = lua_type(L, index);
  switch (type) {
    case LUA_TSTRING: {
      size_t length;
      const char *text = lua_tolstring(L, index, &length);
      return write_string(encoder, text, length) || fail(encoder, parent, "is not valid UTF-8");
    }
    case LUA_TNUMBER: return encode_number(encoder, index, parent);
    case LUA_TTABLE: return encode_table(encoder, index, parent);
    case LUA_TBOOLEAN: {
      bool value = lua_toboolean(L, index);
      write_text(encoder, value ? "true" : "false", value ? 4 : 5);
      return true;
    }
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        write_text(encoder, "null", 4);
        return true;
      }
      if (marks_array(L, index)) {
        write_text(encoder, "[]", 2);
        return true;
      }
      break;
    case TYPE_CDATA: return encode_cdata(encoder, index, parent);
    case LUA_TNIL: return fail(encoder, parent, "is nil (null is uipath.null)");
    default: break;
  }
  const char *what = lua_pushfstring(L, "is a %s", lua_typename(L, type));
  return fail(encoder, parent, what);
}

bool json_encode(lua_State *L, int index) {
  struct encoder encoder;
  int top = lua_gettop(L);
  index = lua_absindex(L, index);
  luaL_checkstack(L, LUA_MINSTACK, "JSON");
  lua_pushnil(L);
  encoder.L = L;
  encoder.owner_slot = top + 1;
  encoder.owner = NULL;
  encoder.text = encoder.to = encoder.small;
  encoder.text_end = encoder.small + sizeof encoder.small;
  bool encoded = encode_value(&encoder, index, NULL);
  if (encoded) lua_pushlstring(L, encoder.text, (size_t)(encoder.to - encoder.text));
  if (encoder.owner != NULL) {
    lua_pushvalue(L, top + 1);
    free_text(L);
    lua_pop(L, 1);
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return encoded;
}
