#include "odata.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "compat.h"
#include "engine/text.h"
#include "literal.h"

#define LONGEST_LIST 1000000

/* ======================================================================== */
/* Filters                                                                  */
/* ======================================================================== */

/* How many `?` stand outside quotes in the text. [-0, +0]; raises if a quote is left open. */
static int count_marks(lua_State *L, const char *text, size_t length) {
  int count = 0;
  bool quoted = false;
  for (size_t i = 0; i < length; i++) {
    /* A doubled quote within quotes closes and opens them again: the same in effect. */
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] == '?' && !quoted) count++;
  }
  if (quoted) luaL_error(L, "filter: a quote (') is not closed");
  return count;
}

/* Pushes the text at index text_index with each `?` outside quotes replaced by the literal of a
   value: list[first], list[first + 1], …, of which there are count. [-0, +1]; raises as
   odata_push_filter. */
static void push_filled(lua_State *L, int text_index, int list, int first, int count) {
  size_t length;
  const char *text = lua_tolstring(L, text_index, &length);
  int marks = count_marks(L, text, length);
  if (marks != count)
    luaL_error(L, "filter: %d '?' outside quotes, but %d value%s%s", marks, count, count == 1 ? "" : "s",
               count < marks ? " (nil is none; uipath.null stands for null)" : "");

  luaL_Buffer filter;
  luaL_buffinit(L, &filter);
  int taken = 0;
  bool quoted = false;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] != '?' || quoted) {
      luaL_addchar(&filter, text[i]);
      continue;
    }
    lua_rawgeti(L, list, first + taken);
    taken++;
    const char *mistake = literal_push(L, -1);
    if (mistake != NULL) luaL_error(L, "filter: value %d %s", taken, mistake);
    lua_remove(L, -2);
    luaL_addvalue(&filter);
  }
  luaL_pushresult(&filter);
}

/* The greatest index of the list; 0 if it is empty, -1 if it has keys of another kind. [-0, +0] */
static int greatest_index(lua_State *L, int list) {
  int greatest = 0;
  for (lua_pushnil(L); lua_next(L, list) != 0;) {
    lua_pop(L, 1);
    lua_Number key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(key >= 1 && key <= LONGEST_LIST) || key != floor(key)) {
      lua_pop(L, 1);
      return -1;
    }
    if ((int)key > greatest) greatest = (int)key;
  }
  return greatest;
}

void odata_push_filter(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (lua_type(L, index) == LUA_TSTRING) {
    lua_pushvalue(L, index);
    return;
  }
  static const char form[] = "filter must be a string or a list { text, value, … }";
  if (!lua_istable(L, index)) luaL_error(L, "%s, got %s", form, luaL_typename(L, index));
  /* Not the length operator: behind a nil it may stop short, and a filter must not lose a value. */
  int greatest = greatest_index(L, index);
  lua_rawgeti(L, index, 1);
  if (greatest < 1 || lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s", form);
  push_filled(L, lua_gettop(L), index, 2, greatest - 1);
  lua_remove(L, -2);
}

/* uipath.odata.filter(text, …) → string */
static int odata_filter(lua_State *L) {
  int count = lua_gettop(L) - 1;
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_createtable(L, count, 0);
  lua_insert(L, 2);
  for (int i = count; i >= 1; i--) lua_rawseti(L, 2, i);
  push_filled(L, 1, 2, 1, count);
  return 1;
}

/* ======================================================================== */
/* Lists                                                                    */
/* ======================================================================== */

/* Pushes the text of the string, number or marked value at index. false, with nothing pushed: it is
   none of them, or not finite. [-0, +(0|1)] */
static bool push_word(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) {
    lua_pushvalue(L, index);
    return true;
  }
  return (lua_type(L, index) == LUA_TNUMBER || literal_is_marked(L, index)) && literal_push(L, index) == NULL;
}

void odata_push_list(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  if (push_word(L, index)) return;
  if (!lua_istable(L, index))
    luaL_error(L, "%s must be a string, a finite number or a list of them, got %s", name,
               luaL_typename(L, index));
  int count = greatest_index(L, index);
  if (count < 0) luaL_error(L, "%s must be a list, but has other keys", name);
  if (count == 0) luaL_error(L, "%s is an empty list", name);
  luaL_Buffer words;
  luaL_buffinit(L, &words);
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&words, ',');
    lua_rawgeti(L, index, i);
    if (!push_word(L, -1))
      luaL_error(L, "%s must hold strings and finite numbers only, got %s", name,
                 luaL_typename(L, -1));
    lua_remove(L, -2);
    luaL_addvalue(&words);
  }
  luaL_pushresult(&words);
}

/* ======================================================================== */
/* Keys                                                                     */
/* ======================================================================== */

/* Whether a path may hold the byte as it is (RFC 3986: pchar). */
static bool is_path_character(char c) {
  return text_is_letter(c) || text_is_digit(c) ||
         (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

/* Pushes the literal of the value at index, percent-encoded for a path. [-0, +1]; raises if it
   cannot be part of a key. */
static void push_key_literal(lua_State *L, int index) {
  static const char hexadecimal[] = "0123456789ABCDEF";
  if (lua_istable(L, index)) luaL_error(L, "key: a value is a table");
  if (lua_islightuserdata(L, index)) luaL_error(L, "key: a value is null");
  const char *mistake = literal_push(L, index);
  if (mistake != NULL) luaL_error(L, "key: a value %s", mistake);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  luaL_Buffer literal;
  luaL_buffinit(L, &literal);
  for (size_t i = 0; i < length; i++) {
    if (is_path_character(text[i])) {
      luaL_addchar(&literal, text[i]);
    } else {
      unsigned char byte = (unsigned char)text[i];
      luaL_addchar(&literal, '%');
      luaL_addchar(&literal, hexadecimal[byte >> 4]);
      luaL_addchar(&literal, hexadecimal[byte & 15]);
    }
  }
  luaL_pushresult(&literal);
  lua_remove(L, -2);
}

/* Whether it can name a property: letters, digits and underscores, no digit first. */
static bool is_property_name(const char *name) {
  if (!text_is_letter(*name) && *name != '_') return false;
  while (text_is_letter(*name) || text_is_digit(*name) || *name == '_') name++;
  return *name == '\0';
}

/* The key of the table at index that comes after `last` (NULL: the first) in the order of bytes, or
   NULL. [-0, +0]; raises unless all keys are names of properties. */
static const char *next_name(lua_State *L, int index, const char *last) {
  const char *next = NULL;
  for (lua_pushnil(L); lua_next(L, index) != 0;) {
    lua_pop(L, 1);
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (!is_property_name(name)) luaL_error(L, "key: a table must map names to values");
    bool after_last = last == NULL || strcmp(name, last) > 0;
    if (after_last && (next == NULL || strcmp(name, next) < 0)) next = name;
  }
  return next;
}

/* Pushes "(name=value,…)" of the table at index 1. [-0, +1] */
static void push_named_key(lua_State *L) {
  const char *name = next_name(L, 1, NULL);
  if (name == NULL) luaL_error(L, "key: an empty table");
  luaL_Buffer key;
  luaL_buffinit(L, &key);
  for (char before = '('; name != NULL; name = next_name(L, 1, name), before = ',') {
    luaL_addchar(&key, before);
    luaL_addstring(&key, name);
    luaL_addchar(&key, '=');
    lua_getfield(L, 1, name);
    push_key_literal(L, lua_gettop(L));
    lua_remove(L, -2);
    luaL_addvalue(&key);
  }
  luaL_addchar(&key, ')');
  luaL_pushresult(&key);
}

/* uipath.odata.key(value, …) → "(value,…)"; key{ name = value, … } → "(name=value,…)" by name */
static int odata_key(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0) luaL_error(L, "key: no value");
  if (count == 1 && lua_istable(L, 1)) {
    push_named_key(L);
    return 1;
  }
  luaL_Buffer key;
  luaL_buffinit(L, &key);
  for (int i = 1; i <= count; i++) {
    luaL_addchar(&key, i == 1 ? '(' : ',');
    push_key_literal(L, i);
    luaL_addvalue(&key);
  }
  luaL_addchar(&key, ')');
  luaL_pushresult(&key);
  return 1;
}

/* ======================================================================== */

void odata_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"filter", odata_filter}, {"guid", literal_guid}, {"date", literal_date},
      {"enum", literal_enum},   {"key", odata_key},     {"integer", literal_integer},
      {NULL, NULL},
  };
  lua_createtable(L, 0, sizeof functions / sizeof functions[0] - 1);
  luaL_setfuncs(L, functions, 0);
}
