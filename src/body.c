#include "body.h"

#include <stdlib.h>
#include <string.h>

#include "engine/text.h"
#include "json/json.h"
#include "suggest.h"

#define MULTIPART "uipath.multipart"
#define FILE_BODY "uipath.file"

/* Whether the value at index is a table with the metatable of that name. */
static bool has_metatable(lua_State *L, int index, const char *name) {
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  lua_getfield(L, LUA_REGISTRYINDEX, name);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* A string for a header or a file name: raises on control characters. what names it in the message. */
static const char *check_text(lua_State *L, int index, const char *what) {
  size_t length;
  if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "%s must be a string, got %s", what, luaL_typename(L, index));
  const char *text = lua_tolstring(L, index, &length);
  if (length == 0) luaL_error(L, "%s must not be empty", what);
  if (text_has_control(text, length)) luaL_error(L, "%s must not contain control characters", what);
  return text;
}

int body_file(lua_State *L) {
  static const char *const names[] = {"filename", "content_type", NULL};
  check_text(L, 1, "the path of a file");
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
      const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
      if (strcmp(name, "filename") != 0 && strcmp(name, "content_type") != 0) return suggest_unknown(L, "option", name, names);
      check_text(L, lua_gettop(L), name);
    }
  }
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "path");
  for (int i = 0; !lua_isnil(L, 2) && names[i] != NULL; i++) {
    lua_getfield(L, 2, names[i]);
    lua_setfield(L, -2, names[i]);
  }
  luaL_newmetatable(L, FILE_BODY);
  lua_setmetatable(L, -2);
  return 1;
}

/* Checks one part's value, on top: a string, a number or a file. [-0, +0] */
static void check_part_value(lua_State *L) {
  if (!lua_isstring(L, -1) && !has_metatable(L, lua_gettop(L), FILE_BODY))
    luaL_error(L, "a part's value must be a string or a uipath.file, got %s", luaL_typename(L, -1));
}

/* Appends { name = …, value = … } to the list at parts: the name at `name`, the value on top. [-1, +0] */
static void add_part(lua_State *L, int parts, int name) {
  check_part_value(L);
  check_text(L, name, "a part's name");
  lua_createtable(L, 0, 2);
  lua_insert(L, -2);
  lua_setfield(L, -2, "value");
  lua_pushvalue(L, name);
  lua_setfield(L, -2, "name");
  lua_rawseti(L, parts, (int)lua_rawlen(L, parts) + 1);
}

/* Raises unless the value at index is a part { name = …, value = … } and has no other field. */
static void check_part(lua_State *L, int index, int number) {
  static const char *const names[] = {"name", "value", NULL};
  if (!lua_istable(L, index)) luaL_error(L, "part %d must be a table { name = …, value = … }", number);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    /* What a file is called, and its type, are said to uipath.file. */
    if (strcmp(name, "name") != 0 && strcmp(name, "value") != 0) suggest_unknown(L, "field of a part", name, names);
  }
}

int body_multipart(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L);
  size_t count = lua_rawlen(L, 1), keys = 0;
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, (int)i);
    check_part(L, 3, (int)i);
    lua_getfield(L, 3, "name");
    lua_getfield(L, 3, "value");
    add_part(L, 2, 4);
    lua_settop(L, 2);
  }
  for (lua_pushnil(L); lua_next(L, 1) != 0; keys++) {
    bool is_named = lua_type(L, -2) == LUA_TSTRING;
    if (is_named && count > 0) return luaL_error(L, "parts must be a list, or a table of names and values, not both");
    if (is_named) add_part(L, 2, lua_gettop(L) - 1);
    else lua_pop(L, 1);
    if (!is_named && keys >= count) return luaL_error(L, "parts must be a list without holes");
  }
  if (keys == 0) return luaL_error(L, "a multipart body needs at least one part");
  luaL_newmetatable(L, MULTIPART);
  lua_setmetatable(L, 2);
  return 1;
}

/* A malloc'ed copy of the field's string in the table at index; NULL if it is absent, where it may be. What was checked when the table was
   made is checked again: the table is open to all. */
static char *copy_field(lua_State *L, int index, const char *name, bool is_optional) {
  lua_getfield(L, index, name);
  bool is_absent = is_optional && lua_isnil(L, -1);
  const char *text = is_absent ? NULL : check_text(L, -1, name);
  char *copy = text == NULL ? NULL : strdup(text);
  lua_pop(L, 1);
  if (!is_absent && copy == NULL) luaL_error(L, "not enough memory");
  return copy;
}

static void read_part(lua_State *L, int index, struct body_part *part) {
  part->name = copy_field(L, index, "name", false);
  lua_getfield(L, index, "value");
  check_part_value(L);
  int value = lua_gettop(L);
  if (lua_istable(L, value)) {
    part->path = copy_field(L, value, "path", false);
    part->filename = copy_field(L, value, "filename", true);
    part->content_type = copy_field(L, value, "content_type", true);
  } else {
    size_t length;
    const char *text = lua_tolstring(L, value, &length);
    if (!buffer_append(&part->bytes, text, length)) luaL_error(L, "not enough memory");
  }
  lua_settop(L, value - 1);
}

static void read_multipart(lua_State *L, int index, struct call_body *body) {
  size_t count = lua_rawlen(L, index);
  if (count == 0) {
    luaL_error(L, "a multipart body needs at least one part");
    return;
  }
  body->kind = BODY_MULTIPART;
  body->parts = calloc(count, sizeof *body->parts);
  if (body->parts == NULL) {
    luaL_error(L, "not enough memory");
    return;
  }
  body->part_count = count;
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (int)i + 1);
    check_part(L, lua_gettop(L), (int)i + 1);
    read_part(L, lua_gettop(L), &body->parts[i]);
    lua_pop(L, 1);
  }
}

/* Takes over the string on top. */
static void read_bytes(lua_State *L, struct call_body *body) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  body->kind = BODY_BYTES;
  if (!buffer_append(&body->bytes, text, length)) luaL_error(L, "not enough memory");
}

const char *body_read(lua_State *L, int index, struct call_body *body) {
  int top = lua_gettop(L);
  const char *content_type = "application/json";
  if (lua_type(L, index) == LUA_TSTRING) {
    lua_pushvalue(L, index);
    read_bytes(L, body);
  } else if (has_metatable(L, index, MULTIPART)) {
    read_multipart(L, index, body);
    content_type = NULL;
  } else if (has_metatable(L, index, FILE_BODY)) {
    body->kind = BODY_FILE;
    body->path = copy_field(L, index, "path", false);
    lua_getfield(L, index, "content_type");
    content_type = lua_isnil(L, -1) ? "application/octet-stream" : check_text(L, -1, "content_type");
  } else if (lua_istable(L, index)) {
    if (!json_encode(L, index)) luaL_error(L, "the body: %s", lua_tostring(L, -1));
    read_bytes(L, body);
  } else {
    luaL_error(L, "the body must be a table, a string, uipath.multipart or uipath.file, got %s", luaL_typename(L, index));
  }
  lua_settop(L, top);
  return content_type;
}

const char *body_file_path(lua_State *L, int index) {
  if (!has_metatable(L, index, FILE_BODY)) return NULL;
  lua_getfield(L, index, "path");
  const char *path = lua_tostring(L, -1);
  lua_pop(L, 1);
  return path;
}
