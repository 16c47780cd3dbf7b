/* Calls as Lua has them: a userdata that owns a struct call, and the ways to wait for it. */
#ifndef UIPATH_CALL_OBJECT_H
#define UIPATH_CALL_OBJECT_H

#include "client.h"
#include "engine/call.h"

/* Runs a call to its end and pushes its results: what client:get and its like do. The client is at index 1; path, options and body are
   those of request_build. Gives the number of results, for `return`. */
int call_run(lua_State *L, const char *method, int path, int options, int body);

/* Runs a call that only fetches the token of the client at index 1, and pushes it. [-0, +1] */
void call_run_token(lua_State *L);

/* The token that such a call at index, which is done, came to: borrowed from it. NULL: pushes nil and the error. [-0, +0] or [-0, +2] */
const struct token *call_token(lua_State *L, int index);

/* client:start: pushes the call, under way. [-0, +1] */
int call_start(lua_State *L, const char *method, int path, int options);

/* From now on a wait that a signal interrupts calls the Lua function (or nil: none) on top; what it raises cancels the call. [-1, +0] */
void call_on_interruption(lua_State *L);

/* Pushes the table of functions that uipath.functions waits with. [-0, +1] */
void call_push_internals(lua_State *L);

/* Creates the metatable of calls; and that of calls of clients with Lua functions, whose methods are in the table on top. [-0, +0], [-1, +0] */
void call_open(lua_State *L);
void call_open_functions(lua_State *L);

#endif
