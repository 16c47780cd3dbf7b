#include "one_line.h"

#include <stdbool.h>
#include <string.h>

#include "engine/text.h"

static const char ellipsis[] = "…";

/* White space, and what a terminal or log would obey: C0 and C1 control characters, separators of lines, marks that turn the
 * direction. */
static bool is_gap(uint32_t code) {
  return code <= 0x20 || (code >= 0x7F && code <= 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

void one_line_push(lua_State *L, const char *text, size_t length, size_t most) {
  const char *cursor = text, *end = text + length;
  luaL_Buffer line;
  luaL_buffinit(L, &line);
  size_t written = 0, whole = 0; /* whole: of what is written, so much leaves room for an ellipsis */
  bool gap = false;
  while (cursor < end) {
    const char *begin = cursor;
    uint32_t code = text_next(&cursor, end);
    if (code == TEXT_INVALID)
      cursor++;
    else if (is_gap(code)) {
      gap = written > 0;
      continue;
    }
    size_t piece = (size_t)gap + (size_t)(cursor - begin);
    if (written + piece > most) {
      luaL_pushresult(&line);
      lua_pushlstring(L, lua_tostring(L, -1), whole);
      lua_remove(L, -2);
      lua_pushstring(L, ellipsis);
      lua_concat(L, 2);
      return;
    }
    if (gap) luaL_addchar(&line, ' ');
    if (code == TEXT_INVALID)
      luaL_addchar(&line, '?');
    else
      luaL_addlstring(&line, begin, (size_t)(cursor - begin));
    gap = false;
    written += piece;
    if (written + sizeof ellipsis - 1 <= most) whole = written;
  }
  luaL_pushresult(&line);
}

/* one_line(text, most) → text */
static int internal_one_line(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Integer most = luaL_checkinteger(L, 2);
  one_line_push(L, text, length, most < (lua_Integer)sizeof ellipsis ? sizeof ellipsis : (size_t)most);
  return 1;
}

void one_line_add_internals(lua_State *L) {
  lua_pushcfunction(L, internal_one_line);
  lua_setfield(L, -2, "one_line");
}
