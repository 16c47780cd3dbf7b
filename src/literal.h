/* OData literals: a Lua value as it is written in a filter or a key (OData 4.01, ABNF). */
#ifndef LITERAL_H
#define LITERAL_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the literal of the value at index, a string: 'O''Brien', 5, 2.5, true, null (uipath.null),
   ('a','b') for a list, and a mark's text as it is. NULL if it went well [-0, +1]; else a static
   phrase that says what is wrong, such as "is nil", with anything on the stack. */
const char *literal_push(lua_State *L, int index);

/* Whether the value at index is a mark: one that literal_push writes as it is. [-0, +0] */
bool literal_is_marked(lua_State *L, int index);

/* Lua functions that give a mark: a value that literal_push writes without quotes. All raise on
   what has no such form. A date is given as seconds since 1970, as an ISO 8601 string, or as a table
   like those of os.date, taken as UTC; an enum as Member or as Namespace.Type'Member'; an integer as a
   number, or by its digits, which LuaJIT needs beyond 2^53. */
int literal_guid(lua_State *L);
int literal_date(lua_State *L);
int literal_enum(lua_State *L);
int literal_integer(lua_State *L);

#endif
