/* Orchestrator's folders: how the option `folder` becomes a header. */
#ifndef FOLDER_H
#define FOLDER_H

#include <lua.h>
#include <stdbool.h>

struct call_request;

/* Raises unless the value at index names a folder: a whole number from 1, a GUID, or a path in
   UTF-8 without control characters. what names the option or variable in the message. [-0, +0] */
void folder_check(lua_State *L, int index, const char *what);

/* Adds the header that names the folder at index, which folder_check has passed: a number is the
   folder's id, a GUID its key, any other string its path. false: no memory. [-0, +0]; never raises */
bool folder_add_header(lua_State *L, int index, struct call_request *request);

#endif
