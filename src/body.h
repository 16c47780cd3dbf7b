/* Bodies of requests: tables as JSON, strings, multipart forms and files. */
#ifndef UIPATH_BODY_H
#define UIPATH_BODY_H

#include "compat.h"
#include "engine/call.h"

/* uipath.multipart(parts) and uipath.file(path [, options]): tables with a metatable of their own. [-n, +1] */
int body_multipart(lua_State *L);
int body_file(lua_State *L);

/* Reads the value at index into body, which its call owns. Gives the Content-Type to send unless the caller named another; NULL: libcurl makes
   it, with the boundary. The string lives as long as the value. Raises for what cannot be a body. [-0, +0] */
const char *body_read(lua_State *L, int index, struct call_body *body);

/* The path of the uipath.file at index, which lives as long as that; NULL: it is none. [-0, +0] */
const char *body_file_path(lua_State *L, int index);

#endif
