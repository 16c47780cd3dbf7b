/* Error objects: plain tables with a metatable; what they say is put together in Lua (uipath.errors), loaded with the first one. Where that
   is out of reach, as after a change of root, they say less. */
#ifndef UIPATH_ERROR_H
#define UIPATH_ERROR_H

#include <stdbool.h>

#include "compat.h"

/* tostring(err) is at most so many bytes long. */
#define ERROR_LONGEST_TEXT 2048

/* Makes an error of the table of fields on top, in place. [-1, +1] */
void error_new(lua_State *L);

/* Pushes an error of this kind with the message on top and the caller's position. [-1, +1] */
void error_new_message(lua_State *L, const char *kind);

/* Makes an error of kind "file" of the reason on top, which is why a Lua file of ours cannot be
   loaded. [-1, +1] */
void error_new_unreachable(lua_State *L);

/* Finds now what errors need later and find in files. Where it cannot be had it raises. [-0, +0] */
void error_preload(lua_State *L);

/* uipath.is_error and uipath.check. */
int error_is_error(lua_State *L);
int error_check(lua_State *L);

/* Copies the position of the user's code that called us, "file:line", into where (size bytes): the first level of the stack that is Lua
   and none of ours. Empty if there is none. [-0, +0] */
void error_position(lua_State *L, char *where, size_t size);

/* Adds to the table on top what our Lua modules raise with. [-0, +0] */
void error_add_internals(lua_State *L);

#endif
