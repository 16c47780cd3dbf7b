/* Calls as Lua has them: a userdata that owns a struct call, and the ways to wait for it. */
#ifndef UIPATH_CALL_OBJECT_H
#define UIPATH_CALL_OBJECT_H

#include "client.h"
#include "engine/call.h"

/* Pushes what a call that is done gives Lua: the call is at index. Gives the number of values, for `return`. */
typedef int call_results(lua_State *L, int index);

/* Runs a call to its end and pushes its results: what client:get and its like do. The client is at index 1; path, options and body are
   those of request_build. For `return`: on a task's thread it yields. */
int call_run(lua_State *L, const char *method, int path, int options, int body);

/* The same for a call that only fetches the token of the client at index 1. */
int call_run_token(lua_State *L, call_results *results);

/* Pushes such a call, under way. [-0, +1] */
int call_start_token(lua_State *L, call_results *results);

/* The token that such a call at index, which is done, came to, borrowed from it, and its kind. NULL: pushes nil and the error.
   [-0, +(0|2)] */
const struct token *call_token(lua_State *L, int index, enum token_kind *kind);

/* client:start: pushes the call, under way. [-0, +1] */
int call_start(lua_State *L, const char *method, int path, int options);

/* From now on a wait that a signal interrupts calls the Lua function (or nil: none) on top; what it raises cancels the call. [-1, +0] */
void call_on_interruption(lua_State *L);

/* Adds to the table on top the steps of a call that our Lua modules wait with. [-0, +0] */
void call_add_internals(lua_State *L);

/* Creates the metatable of calls; and that of calls of clients with Lua functions, whose methods are in the table on top. [-0, +0], [-1, +0] */
void call_open(lua_State *L);
void call_open_functions(lua_State *L);

#endif
