/* What becomes of JSON when memory runs out at any moment: a clean error, nothing lost, and a Lua state that works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "../../src/json/json.h"

/* ======================================================================== */
/* An allocator that fails when told to                                     */
/* ======================================================================== */

struct allocator {
  size_t live;       /* bytes */
  long countdown;    /* allocations until one fails, < 0: none does */
  bool fails_onward; /* and so do all that follow; else the collector's second try succeeds */
  bool failed;
};

static void *allocate(void *data, void *block, size_t old_size, size_t size) {
  struct allocator *allocator = data;
  if (block == NULL) old_size = 0;
  /* Lua relies on that what shrinks does not fail. */
  if (size > old_size && allocator->countdown >= 0 && allocator->countdown-- == 0) {
    allocator->failed = true;
    if (allocator->fails_onward) allocator->countdown = 0;
    return NULL;
  }
  allocator->live += size - old_size;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

static lua_State *new_state(struct allocator *allocator) {
  *allocator = (struct allocator){.countdown = -1};
#if LUA_VERSION_NUM >= 505
  lua_State *L = lua_newstate(allocate, allocator, luaL_makeseed(NULL));
#else
  lua_State *L = lua_newstate(allocate, allocator);
#endif
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

/* ======================================================================== */
/* Work                                                                     */
/* ======================================================================== */

/* A document that makes use of everything: rows with known and new names and strings, escapes that need
   more room, large and nested containers, empty arrays. Pushes it. */
static void push_document(lua_State *L) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addstring(&buffer, "{\"value\":[");
  for (int i = 0; i < 40; i++) {
    lua_pushfstring(
        L, "{\"Id\":%d,\"State\":\"S%d\",\"Name\":\"n\\n%d\",\"Tags\":[\"x\",%d],\"Robot\":{\"Key\":\"%d\"},\"k%d\":1.5},", i,
        i % 3, i, i, i * 1000, i % 11);
    luaL_addvalue(&buffer);
  }
  luaL_addstring(&buffer, "[[[[{\"a\":{\"b\":[]}}]]]],[],\"");
  for (int i = 0; i < 600; i++) luaL_addstring(&buffer, "\\u20ac ");
  luaL_addstring(&buffer, "\",[");
  for (int i = 0; i < 100; i++) luaL_addstring(&buffer, "0.1,");
  luaL_addstring(&buffer, "1],{");
  for (int i = 0; i < 80; i++) {
    lua_pushfstring(L, "\"member%d\":null,", i);
    luaL_addvalue(&buffer);
  }
  luaL_addstring(&buffer, "\"last\":1e5}],\"empty\":[]}");
  luaL_pushresult(&buffer);
}

/* (text) → value; raises what is wrong. */
static int decode(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  return json_decode(L, text, length, NULL) ? 1 : lua_error(L);
}

/* The same, without nulls. */
static int decode_without_nulls(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  return json_decode(L, text, length, &(struct json_options){.drop_nulls = true}) ? 1 : lua_error(L);
}

/* (value) → text; raises what is wrong. */
static int encode(lua_State *L) {
  return json_encode(L, 1) ? 1 : lua_error(L);
}

/* Whether a call ended because memory ran out; what is no object of Lua's says so in a message, as Lua's own library
   does. */
static bool is_memory_error(lua_State *L, int status) {
  return status == LUA_ERRMEM || (status == LUA_ERRRUN && strcmp(lua_tostring(L, -1), "not enough memory") == 0);
}

/* Lua keeps some of what it grew by: its stack, its table of strings, the mark of arrays. */
#define KEPT 8192

/* Runs the function on the value at index with every one of its allocations failing in turn, until none is left to
   fail. Gives how many there were. expected: LUA_OK or LUA_ERRRUN, if not for memory. [-0, +0] */
static long exhaust(lua_State *L, struct allocator *allocator, lua_CFunction function, int index, bool fails_onward,
                    int expected) {
  long errors = 0;
  lua_gc(L, LUA_GCCOLLECT, 0);
  size_t first = allocator->live;
  for (long n = 0;; n++) {
    lua_pushcfunction(L, function);
    lua_pushvalue(L, index);
    allocator->failed = false;
    allocator->fails_onward = fails_onward;
    allocator->countdown = n;
    int status = lua_pcall(L, 1, 1, 0);
    allocator->countdown = -1;
    assert_true(lua_gc(L, LUA_GCISRUNNING, 0));
    if (is_memory_error(L, status))
      errors++;
    else if (status != expected)
      assert_non_null(strstr(lua_tostring(L, -1), "no room on the Lua stack"));
    lua_settop(L, index);
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (allocator->live > first + KEPT) fail_msg("%zu bytes became %zu", first, allocator->live);
    if (allocator->failed) continue;
    assert_int_equal(status, expected);
    /* One failure alone the collector makes good, and Lua does without a larger table of strings. */
    if (fails_onward) assert_true(errors >= n - 3);
    return n;
  }
}

static void check(lua_CFunction function, const char *text, bool encodes, int expected) {
  for (int onward = 0; onward < 2; onward++) {
    struct allocator allocator;
    lua_State *L = new_state(&allocator);
    if (text == NULL)
      push_document(L);
    else
      lua_pushstring(L, text);
    if (encodes) {
      size_t length;
      const char *document = lua_tolstring(L, 1, &length);
      assert_true(json_decode(L, document, length, NULL));
      lua_replace(L, 1);
      if (expected != LUA_OK) { /* the last row gets a member that cannot be written */
        lua_getfield(L, 1, "value");
        lua_rawgeti(L, -1, 40);
        lua_pushcfunction(L, encode);
        lua_setfield(L, -2, "function");
      }
    }
    long count = exhaust(L, &allocator, function, 1, onward, expected);
    assert_true(count >= (text != NULL ? 5 : encodes ? 3 : 300));
    /* The state works on. */
    lua_pushcfunction(L, function);
    lua_pushvalue(L, 1);
    assert_int_equal(lua_pcall(L, 1, 1, 0), expected);
    lua_close(L);
    assert_int_equal(allocator.live, 0);
  }
}

static void decoding(void **state) {
  (void)state;
  check(decode, NULL, false, LUA_OK);
}

static void decoding_without_nulls(void **state) {
  (void)state;
  check(decode_without_nulls, NULL, false, LUA_OK);
}

static void decoding_a_small_text(void **state) {
  (void)state;
  check(decode, "{\"a\":[],\"b\":\"text\"}", false, LUA_OK);
}

static void decoding_what_is_no_json(void **state) {
  (void)state;
  check(decode, "[{\"a\":1},{\"a\":2},{\"a\":3},{\"a\":4},{\"a\":5},{\"a\":\"\\n\",}]", false, LUA_ERRRUN);
}

static void encoding(void **state) {
  (void)state;
  check(encode, NULL, true, LUA_OK);
}

static void encoding_what_cannot_be_written(void **state) {
  (void)state;
  check(encode, NULL, true, LUA_ERRRUN);
}

/* ======================================================================== */
/* Nulls                                                                    */
/* ======================================================================== */

/* Decodes the text without nulls and encodes the value; pushes that. */
static const char *without_nulls(lua_State *L, const char *text) {
  assert_true(json_decode(L, text, strlen(text), &(struct json_options){.drop_nulls = true}));
  assert_true(json_encode(L, -1));
  return lua_tostring(L, -1);
}

static void nulls_of_members_are_dropped(void **state) {
  (void)state;
  struct allocator allocator;
  lua_State *L = new_state(&allocator);
  assert_string_equal(without_nulls(L, "{\"a\":null}"), "{}");
  assert_string_equal(without_nulls(L, "{\"a\":null,\"b\":1}"), "{\"b\":1}");
  assert_string_equal(without_nulls(L, "{\"a\":1,\"a\":null}"), "{}");
  assert_string_equal(without_nulls(L, "{\"a\":null,\"a\":1}"), "{\"a\":1}");
  assert_string_equal(without_nulls(L, "[null,{\"a\":[null]},null]"), "[null,{\"a\":[null]},null]");
  assert_string_equal(without_nulls(L, "null"), "null");
  assert_string_equal(
      without_nulls(L, "[{\"a\":1},{\"a\":1},{\"a\":1},{\"a\":1},{\"a\":1},{\"a\":null},{\"a\":1},{\"a\":1,\"a\":null}]"),
      "[{\"a\":1},{\"a\":1},{\"a\":1},{\"a\":1},{\"a\":1},{},{\"a\":1},{}]");
  assert_false(json_decode(L, "{\"a\":nul}", 9, &(struct json_options){.drop_nulls = true}));
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decoding),
      cmocka_unit_test(decoding_without_nulls),
      cmocka_unit_test(decoding_a_small_text),
      cmocka_unit_test(decoding_what_is_no_json),
      cmocka_unit_test(encoding),
      cmocka_unit_test(encoding_what_cannot_be_written),
      cmocka_unit_test(nulls_of_members_are_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
