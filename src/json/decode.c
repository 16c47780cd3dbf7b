#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

#include "../compat.h"
#include "block.h"
#include "json.h"
#include "number.h"
#include "scan.h"

/* One pass from text to tables. What makes it fast is that rows resemble each other:

   - A table is made with its final size, so that it never grows: a container's first items wait on the Lua
     stack until they are all there; an object where objects of some size have been seen before gets
     that size at once.
   - Within an array of objects, a member's name is first compared with the one that followed its
     predecessor in the last object; a hit saves scanning, hashing and interning.
   - There, too, the short strings of members whose strings recur (states, types) are looked up among those
     met before, which saves hashing and interning. */

/* ======================================================================== */
/* State                                                                    */
/* ======================================================================== */

/* Containers nested deeper do not let their items wait, so that the Lua stack stays small (LuaJIT's has
   8000 slots). */
#define MAX_WAITING_DEPTH 32
/* How many items of a container may wait on the stack: values of an array, pairs of an object. */
#define MAX_WAITING 32
/* The size for containers that have more. */
#define LARGE_SIZE (2 * MAX_WAITING)
/* Lua stack slots that a container may need, the items' own containers aside. */
#define CONTAINER_SLOTS (2 * MAX_WAITING + 8)

/* What values in one place (of one member, or items of one array) have been like. */
struct place {
  uint16_t first;      /* of objects: the first name, an index into names; 0: none known */
  bool alike;          /* of objects: size was a good guess for the last one */
  uint8_t new_strings; /* how many strings in a row had not been met before */
  int size;            /* of objects: members to make room for */
};

/* A member's name that was met before. Its Lua string is kept on the stack. */
struct name {
  const char *text; /* where it was met, behind the opening quote; has no escapes */
  size_t length;    /* with the closing quote and the colon, which follows at once */
  uint16_t next;    /* the name that came next in the same object; 0: none known */
  struct place place;
};

#define MAX_NAMES 255
/* How many names are tried, each the next one's predecessor, before a name counts as new. */
#define MAX_TRIES 4
/* Names are remembered from this item of an array on: less would not pay for it. */
#define FIRST_REMEMBERED 4
/* So many more misses than hits end it: these objects have nothing in common. */
#define FIRST_CREDIT 64

/* A short string that was met before. Its Lua string is kept on the stack. */
struct known_string {
  const char *text; /* where it was met, behind the opening quote; has no escapes; NULL: none */
  size_t length;
};

/* 2^KNOWN_STRINGS_BITS are remembered at a time, each in the place that a hash of it tells. */
#define KNOWN_STRINGS_BITS 10
#define KNOWN_STRINGS (1 << KNOWN_STRINGS_BITS)
#define MAX_KNOWN_LENGTH 32
/* They are remembered from this item of the array on. */
#define FIRST_KNOWN 32
/* After so many new strings in a row a place's strings are taken for unique (keys, times). */
#define MAX_NEW_STRINGS 16

struct memory {
  bool in_use;
  int name_slots;   /* names[i]'s string is at this stack index + i */
  int string_slots; /* and that of strings[i] at this + i; 0: no strings are remembered yet */
  int count;        /* names in use, names[0] not counted */
  int credit;
  struct name names[MAX_NAMES + 1];
  struct known_string strings[KNOWN_STRINGS];
};

#define SMALL_STRING 512

struct decoder {
  lua_State *L;
  const char *end;
  bool drop_nulls;
  int depth;
  int scratch_slot;         /* stack index: the userdata that owns scratch, or nil */
  int array_metatable_slot; /* stack index: the mark of arrays, or nil while it was not needed */
  char *scratch, *scratch_end; /* for strings with escapes */
  struct json_fault fault;
  struct memory memory;
  char small[SMALL_STRING]; /* the first scratch */
};

__attribute__((noinline)) static const char *decode_array(struct decoder *decoder, const char *text, struct place *place);
__attribute__((noinline)) static const char *decode_object(struct decoder *decoder, const char *text, struct place *place);

/* Records what is wrong where; gives NULL. */
__attribute__((cold)) static const char *fail(struct decoder *decoder, const char *at, const char *message) {
  decoder->fault.at = at;
  decoder->fault.message = message;
  return NULL;
}

/* Skips white space; what begins with a line's end, the indentation, in large steps. */
static const char *skip_spaces(const char *text, const char *end) {
  while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t') {
    text++;
    while (end - text >= BLOCK_SIZE) {
      size_t spaces = block_first(block_nonspace(text));
      text += spaces;
      if (spaces < BLOCK_SIZE) break;
    }
  }
  return text;
}

/* The same, quick where there is none. The NUL behind the text stops both. */
static inline const char *skip_space(const struct decoder *decoder, const char *text) {
  return (unsigned char)*text > ' ' ? text : skip_spaces(text, decoder->end);
}

/* The same where `due` is likely to stand at once. */
static inline const char *skip_space_before(const struct decoder *decoder, const char *text, char due) {
  return *text == due ? text : skip_space(decoder, text);
}

/* ======================================================================== */
/* Strings                                                                  */
/* ======================================================================== */

/* json_scan_string, quick where the string is plain. */
static inline const char *scan_string(struct decoder *decoder, const char *text) {
  while (decoder->end - text >= BLOCK_SIZE) {
    size_t plain = block_first(block_special(text));
    text += plain;
    if (plain == BLOCK_SIZE) continue;
    if (*text == '"') return text;
    break;
  }
  return json_scan_string(text, decoder->end, &decoder->fault);
}

/* Makes the scratch larger; `used` bytes are kept. [-0, +0] */
static void grow_scratch(struct decoder *decoder, size_t used, size_t capacity) {
  char *larger = lua_newuserdata(decoder->L, capacity);
  memcpy(larger, decoder->scratch, used);
  lua_replace(decoder->L, decoder->scratch_slot);
  decoder->scratch = larger;
  decoder->scratch_end = larger + capacity;
}

/* Decodes the string that begins at text and has its first escape at `escape`. [-0, +1]; NULL: [-0, +0] */
static const char *decode_escaped(struct decoder *decoder, const char *text, const char *escape) {
  size_t plain = (size_t)(escape - text);
  size_t capacity = (size_t)(decoder->scratch_end - decoder->scratch);
  if (capacity < plain + JSON_UNESCAPE_ROOM) grow_scratch(decoder, 0, 2 * plain + JSON_UNESCAPE_ROOM);
  memcpy(decoder->scratch, text, plain);
  char *to = decoder->scratch + plain;
  for (;;) {
    switch (json_unescape(&escape, decoder->end, &to, decoder->scratch_end, &decoder->fault)) {
      case JSON_UNESCAPED:
        lua_pushlstring(decoder->L, decoder->scratch, (size_t)(to - decoder->scratch));
        return escape + 1;
      case JSON_BAD_STRING: return NULL;
      case JSON_NO_ROOM: break;
    }
    size_t used = (size_t)(to - decoder->scratch);
    grow_scratch(decoder, used, 2 * (size_t)(decoder->scratch_end - decoder->scratch));
    to = decoder->scratch + used;
  }
}

/* Decodes the string behind the opening quote at text - 1. [-0, +1]; NULL: [-0, +0] */
static const char *decode_string(struct decoder *decoder, const char *text) {
  const char *stop = scan_string(decoder, text);
  if (stop == NULL) return NULL;
  if (*stop == '\\') return decode_escaped(decoder, text, stop);
  lua_pushlstring(decoder->L, text, (size_t)(stop - text));
  return stop + 1;
}

/* ======================================================================== */
/* Numbers                                                                  */
/* ======================================================================== */

/* Whether Lua's numbers hold the integer exactly. */
static bool integer_is_exact(int64_t integer) {
  return COMPAT_EXACT_INTEGERS || (integer >= -(INT64_C(1) << 53) && integer <= INT64_C(1) << 53);
}

/* Decodes the number at text. [-0, +1]; NULL: [-0, +0] */
static const char *decode_number(struct decoder *decoder, const char *text) {
  lua_State *L = decoder->L;
  struct number number;
  const char *end = number_read(text, &number);
  if (end == NULL) {
    bool begins = *text == '-' || (*text >= '0' && *text <= '9');
    return fail(decoder, text, begins ? "invalid number" : "expected a value");
  }
  if (number.kind == NUMBER_INTEGER && integer_is_exact(number.integer)) {
    compat_push_int64(L, number.integer);
    return end;
  }
  if (!COMPAT_EXACT_INTEGERS && number.kind != NUMBER_REAL) {
    lua_pushlstring(L, text, (size_t)(end - text));
    return end;
  }
  if (number.real - number.real != 0) return fail(decoder, text, "number beyond the range of doubles");
  lua_pushnumber(L, number.real);
  return end;
}

/* ======================================================================== */
/* Names of members                                                         */
/* ======================================================================== */

/* Begins to remember names; the Lua strings are kept on the stack from here on. [-0, +slots]; false: no room,
   [-0, +0]. */
static bool remember_names(struct decoder *decoder) {
  struct memory *memory = &decoder->memory;
  if (!lua_checkstack(decoder->L, MAX_NAMES + 1 + CONTAINER_SLOTS)) return false;
  memory->name_slots = lua_gettop(decoder->L) + 1;
  memory->string_slots = 0;
  memory->count = 0;
  memory->credit = FIRST_CREDIT;
  memory->in_use = true;
  lua_settop(decoder->L, memory->name_slots + MAX_NAMES);
  return true;
}

/* Begins to remember strings as well, if there is room. [-0, +slots] */
static void remember_strings(struct decoder *decoder) {
  struct memory *memory = &decoder->memory;
  if (!lua_checkstack(decoder->L, KNOWN_STRINGS + CONTAINER_SLOTS)) return;
  memory->string_slots = lua_gettop(decoder->L) + 1;
  memset(memory->strings, 0, sizeof memory->strings);
  lua_settop(decoder->L, memory->string_slots + KNOWN_STRINGS - 1);
}

/* Whether `known`, which was met earlier in the text, stands at text as well. */
static inline bool is_at(const char *known, size_t length, const char *text, const char *end) {
  if (end - text < 2 * BLOCK_SIZE) return false;
  if (length <= BLOCK_SIZE) return block_equal(text, known, length);
  if (!block_equal(text, known, BLOCK_SIZE)) return false;
  size_t rest = length - BLOCK_SIZE;
  if (rest <= BLOCK_SIZE) return block_equal(text + rest, known + rest, BLOCK_SIZE);
  return (size_t)(end - text) >= length && memcmp(text + BLOCK_SIZE, known + BLOCK_SIZE, rest) == 0;
}

/* Pushes the string text[0..length), which a quote follows, out of those that were met before, or as a new
   one. Gives whether it had been met. [-0, +1] */
static inline bool push_known_string(struct decoder *decoder, const char *text, size_t length) {
  struct memory *memory = &decoder->memory;
  /* Any bytes will do for the hash: of a shorter string, also what is before its quote. */
  uint64_t tail;
  memcpy(&tail, text + length + 1 - sizeof tail, sizeof tail);
  uint64_t index = (tail + length) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - KNOWN_STRINGS_BITS);
  struct known_string *known = &memory->strings[index];
  int slot = memory->string_slots + (int)index;
  if (known->length == length && known->text != NULL && is_at(known->text, length, text, decoder->end)) {
    lua_pushvalue(decoder->L, slot);
    return true;
  }
  lua_pushlstring(decoder->L, text, length);
  lua_copy(decoder->L, -1, slot);
  *known = (struct known_string){text, length};
  return false;
}

/* Decodes the string behind the opening quote at text - 1, in a place that is remembered. [-0, +1]; NULL:
   [-0, +0] */
static const char *decode_known_string(struct decoder *decoder, const char *text, struct place *place) {
  const char *stop = scan_string(decoder, text);
  if (stop == NULL) return NULL;
  if (*stop == '\\') return decode_escaped(decoder, text, stop);
  size_t length = (size_t)(stop - text);
  if (length > MAX_KNOWN_LENGTH || place->new_strings == MAX_NEW_STRINGS || decoder->memory.string_slots == 0) {
    lua_pushlstring(decoder->L, text, length);
  } else if (push_known_string(decoder, text, length)) {
    place->new_strings = 0;
  } else {
    place->new_strings++;
  }
  return stop + 1;
}

/* Remembers the name on top, text[0..length) with its closing quote and colon, as the next one of *link. [-0, +0] */
static struct name *remember_name(struct decoder *decoder, const char *text, size_t length, uint16_t *link) {
  struct memory *memory = &decoder->memory;
  if (memory->count == MAX_NAMES) return NULL;
  int index = ++memory->count;
  struct name *name = &memory->names[index];
  *name = (struct name){.text = text, .length = length, .next = *link};
  *link = (uint16_t)index;
  lua_copy(decoder->L, -1, memory->name_slots + index);
  return name;
}

/* Decodes the name behind the opening quote at text - 1, where no name is expected. [-0, +1]; NULL: [-0, +0] */
static const char *decode_unexpected_name(struct decoder *decoder, const char *text) {
  if (!decoder->memory.in_use || decoder->memory.string_slots == 0) return decode_string(decoder, text);
  const char *stop = scan_string(decoder, text);
  if (stop == NULL) return NULL;
  if (*stop == '\\') return decode_escaped(decoder, text, stop);
  push_known_string(decoder, text, (size_t)(stop - text));
  return stop + 1;
}

/* Skips the colon behind a name. */
static inline const char *skip_colon(struct decoder *decoder, const char *text) {
  text = skip_space(decoder, text);
  return *text == ':' ? text + 1 : fail(decoder, text, "expected ':'");
}

/* decode_name where the first guess is wrong. */
__attribute__((noinline)) static const char *decode_other_name(struct decoder *decoder, const char *text, uint16_t *link,
                                                               struct name **known) {
  struct memory *memory = &decoder->memory;
  unsigned index = *link;
  for (int tries = 1; index != 0 && tries < MAX_TRIES; tries++) {
    index = memory->names[index].next;
    struct name *name = &memory->names[index];
    if (index != 0 && is_at(name->text, name->length, text, decoder->end)) {
      lua_pushvalue(decoder->L, memory->name_slots + (int)index);
      *known = name;
      return text + name->length;
    }
  }
  memory->credit -= 2;
  const char *end = decode_unexpected_name(decoder, text);
  if (end == NULL) return NULL;
  bool rememberable = *end == ':' && memchr(text, '\\', (size_t)(end - text)) == NULL;
  *known = rememberable ? remember_name(decoder, text, (size_t)(end + 1 - text), link) : NULL;
  return skip_colon(decoder, end);
}

/* Decodes the name behind the opening quote at text - 1 and skips the colon. *link is the index of the expected
   name; *known becomes the name as it is remembered, or NULL. [-0, +1]; NULL: [-0, +any] */
static inline const char *decode_name(struct decoder *decoder, const char *text, uint16_t *link, struct name **known) {
  struct memory *memory = &decoder->memory;
  unsigned index = *link;
  struct name *name = &memory->names[index];
  if (index == 0 || !is_at(name->text, name->length, text, decoder->end)) return decode_other_name(decoder, text, link, known);
  lua_pushvalue(decoder->L, memory->name_slots + (int)index);
  *known = name;
  return text + name->length;
}

/* ======================================================================== */
/* Values                                                                   */
/* ======================================================================== */

/* Gives the place behind the word that should be at text; NULL: it is not there. */
static const char *skip_word(struct decoder *decoder, const char *text, const char *word, size_t length) {
  bool found = (size_t)(decoder->end - text) >= length && memcmp(text, word, length) == 0;
  return found ? text + length : fail(decoder, text, "expected a value");
}

/* Decodes the value at text, which white space may precede. place: of objects in it, or NULL: no names are remembered here.
   [-0, +1]; NULL: [-0, +any] */
__attribute__((always_inline)) static inline const char *decode_value(struct decoder *decoder, const char *text, struct place *place) {
  text = skip_space(decoder, text);
  switch (*text) {
    case '"':
      return place == NULL ? decode_string(decoder, text + 1) : decode_known_string(decoder, text + 1, place);
    case '{': return decode_object(decoder, text, place);
    case '[': return decode_array(decoder, text, place);
    case 't':
      lua_pushboolean(decoder->L, true);
      return skip_word(decoder, text, "true", 4);
    case 'f':
      lua_pushboolean(decoder->L, false);
      return skip_word(decoder, text, "false", 5);
    case 'n':
      lua_pushlightuserdata(decoder->L, NULL);
      return skip_word(decoder, text, "null", 4);
    default: return decode_number(decoder, text);
  }
}

/* ======================================================================== */
/* Arrays and objects                                                       */
/* ======================================================================== */

/* Begins the container whose bracket is at text; gives the place of what comes in it. NULL: too deep. */
static const char *enter(struct decoder *decoder, const char *text) {
  if (++decoder->depth > JSON_MAX_DEPTH) return fail(decoder, text, JSON_TOO_DEEP);
  if (!lua_checkstack(decoder->L, CONTAINER_SLOTS)) return fail(decoder, text, "no room on the Lua stack");
  return skip_space(decoder, text + 1);
}

/* Pushes a table for an array that is empty. [-0, +1] */
static void push_empty_array(struct decoder *decoder) {
  lua_State *L = decoder->L;
  if (lua_isnil(L, decoder->array_metatable_slot)) {
    json_push_array_metatable(L);
    lua_replace(L, decoder->array_metatable_slot);
  }
  lua_createtable(L, 0, 0);
  lua_pushvalue(L, decoder->array_metatable_slot);
  lua_setmetatable(L, -2);
}

/* Puts the waiting values, `count` from stack index first on, into a table for `size`. [-count, +1] */
static void collect_items(lua_State *L, int first, int count, int size) {
  lua_createtable(L, size, 0);
  lua_insert(L, first);
  for (; count > 0; count--) lua_rawseti(L, first, count);
}

/* Puts the waiting pairs, `count` from stack index first on, into a table for `size`. [-2 * count, +1] */
static void collect_members(lua_State *L, int first, int count, int size) {
  lua_createtable(L, 0, size);
  for (int i = 0; i < count; i++) { /* forward: the last one of a name wins */
    lua_pushvalue(L, first + 2 * i);
    lua_pushvalue(L, first + 2 * i + 1);
    lua_rawset(L, -3);
  }
  lua_replace(L, first);
  lua_settop(L, first);
}

/* Decodes the array whose bracket is at text. place: of its items. [-0, +1]; NULL: [-0, +any] */
static const char *decode_array(struct decoder *decoder, const char *text, struct place *place) {
  lua_State *L = decoder->L;
  struct place own_place = {0};
  text = enter(decoder, text);
  if (text == NULL) return NULL;
  if (*text == ']') {
    push_empty_array(decoder);
    decoder->depth--;
    return text + 1;
  }
  int first = lua_gettop(L) + 1; /* of the waiting values, then the table */
  int count = 0;
  bool waits = decoder->depth <= MAX_WAITING_DEPTH;
  if (!waits) lua_createtable(L, 0, 0);
  for (;;) {
    text = decode_value(decoder, text, place);
    if (text == NULL) return NULL;
    count++;
    if (!waits) lua_rawseti(L, first, count);
    text = skip_space(decoder, text);
    if (*text != ',') break;
    text = skip_space(decoder, text + 1);
    bool remember = count == FIRST_REMEMBERED && *text == '{' && !decoder->memory.in_use;
    if (waits && (remember || count == MAX_WAITING)) {
      collect_items(L, first, count, remember ? MAX_WAITING : LARGE_SIZE);
      waits = false;
    }
    if (remember && remember_names(decoder)) place = &own_place;
    if (count == FIRST_KNOWN && place == &own_place) remember_strings(decoder);
  }
  if (*text != ']') return fail(decoder, text, "expected ',' or ']'");
  if (waits) collect_items(L, first, count, count);
  if (place == &own_place) {
    lua_settop(L, first);
    decoder->memory.in_use = false;
  }
  decoder->depth--;
  return text + 1;
}

/* Notes how many members an object in this place had. */
static void note_size(struct place *place, int size) {
  place->alike = size <= place->size && size > place->size / 2;
  if (!place->alike) place->size = size;
}

/* Decodes the member whose name begins at text. *link: the index of the expected name, moved on to the next one's;
   NULL: no names are remembered here. A null that is to be left out becomes nil, which also removes an earlier
   member of this name, and counts in *dropped. [-0, +2]; NULL: [-0, +any] */
__attribute__((always_inline)) static inline const char *decode_member(struct decoder *decoder, const char *text, uint16_t **link,
                                                                       int *dropped) {
  struct name *name = NULL;
  if (*text != '"') return fail(decoder, text, "expected a member's name in quotes");
  if (*link != NULL) {
    text = decode_name(decoder, text + 1, *link, &name);
    if (name != NULL) *link = &name->next;
  } else {
    text = decode_unexpected_name(decoder, text + 1);
    if (text != NULL) text = skip_colon(decoder, text);
  }
  if (text == NULL) return NULL;
  text = decode_value(decoder, text, name == NULL ? NULL : &name->place);
  if (decoder->drop_nulls && text != NULL && lua_islightuserdata(decoder->L, -1)) {
    ++*dropped;
    lua_pop(decoder->L, 1);
    lua_pushnil(decoder->L);
  }
  return text;
}

/* Ends the object whose last member ends at text, and counts it with those of its place, which may be NULL. */
static const char *leave_object(struct decoder *decoder, const char *text, struct place *place, int count) {
  if (*text != '}') return fail(decoder, text, "expected ',' or '}'");
  if (place != NULL) {
    note_size(place, count);
    int credit = decoder->memory.credit + count;
    decoder->memory.credit = credit < FIRST_CREDIT ? credit : FIRST_CREDIT;
  }
  decoder->depth--;
  return text + 1;
}

/* Decodes the members, of which the first is at text, of an object that is like the last one in its place.
   [-0, +1]; NULL: [-0, +any] */
static const char *decode_alike_object(struct decoder *decoder, const char *text, struct place *place) {
  lua_State *L = decoder->L;
  uint16_t *link = &place->first;
  int dropped = 0;
  lua_createtable(L, 0, place->size);
  for (int count = 1;; count++) {
    text = decode_member(decoder, text, &link, &dropped);
    if (text == NULL) return NULL;
    lua_rawset(L, -3);
    text = skip_space_before(decoder, text, ',');
    if (*text != ',') return leave_object(decoder, text, place, count - dropped);
    text = skip_space_before(decoder, text + 1, '"');
  }
}

/* Decodes the object whose brace is at text. place: its own, or NULL. [-0, +1]; NULL: [-0, +any] */
static const char *decode_object(struct decoder *decoder, const char *text, struct place *place) {
  lua_State *L = decoder->L;
  text = enter(decoder, text);
  if (text == NULL) return NULL;
  if (*text == '}') {
    lua_createtable(L, 0, 0);
    decoder->depth--;
    return text + 1;
  }
  if (place != NULL && decoder->memory.credit < 0) place = NULL;
  if (place != NULL && place->alike) return decode_alike_object(decoder, text, place);
  uint16_t *link = place == NULL ? NULL : &place->first;
  int first = lua_gettop(L) + 1; /* of the waiting pairs, then the table */
  int dropped = 0;
  bool waits = decoder->depth <= MAX_WAITING_DEPTH;
  if (!waits) lua_createtable(L, 0, place == NULL ? 0 : place->size);
  for (int count = 1;; count++) {
    text = decode_member(decoder, text, &link, &dropped);
    if (text == NULL) return NULL;
    if (!waits) lua_rawset(L, first);
    text = skip_space_before(decoder, text, ',');
    if (*text != ',') {
      if (waits) collect_members(L, first, count, count - dropped);
      return leave_object(decoder, text, place, count - dropped);
    }
    text = skip_space_before(decoder, text + 1, '"');
    if (waits && count == MAX_WAITING) {
      collect_members(L, first, count, LARGE_SIZE);
      waits = false;
    }
  }
}

/* ======================================================================== */
/* Texts                                                                    */
/* ======================================================================== */

/* Pushes what is wrong, and where. [-0, +1] */
static void push_fault(struct decoder *decoder, const char *text) {
  int line = 1, column = 1;
  for (; text < decoder->fault.at; text++) {
    if (*text == '\n') line++, column = 1;
    else column += ((unsigned char)*text & 0xC0) != 0x80; /* characters, not bytes */
  }
  const char *message = decoder->fault.at < decoder->end ? decoder->fault.message : "unexpected end";
  lua_pushfstring(decoder->L, "line %d, column %d: %s", line, column, message);
}

bool json_decode(lua_State *L, const char *text, size_t length, const struct json_options *options) {
  struct decoder decoder; /* not initialized as a whole: the memory is large and seldom needed */
  int top = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, "JSON");
  if (length == 0) text = "";
  decoder.L = L;
  decoder.end = decoder.fault.at = text + length;
  decoder.drop_nulls = options != NULL && options->drop_nulls;
  decoder.depth = 0;
  decoder.memory.in_use = false;
  decoder.scratch = decoder.small;
  decoder.scratch_end = decoder.small + sizeof decoder.small;
  lua_pushnil(L);
  decoder.scratch_slot = top + 1;
  lua_pushnil(L);
  decoder.array_metatable_slot = top + 2;

  const char *end = decode_value(&decoder, skip_space(&decoder, json_skip_mark(text, decoder.end)), NULL);
  if (end != NULL) {
    end = skip_space(&decoder, end);
    if (end != decoder.end) end = fail(&decoder, end, "expected nothing more");
  }
  if (end == NULL) push_fault(&decoder, text);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return end != NULL;
}
