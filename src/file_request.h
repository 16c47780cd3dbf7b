/* What uipath.files, the Lua half of client:download and client:upload, needs of the C half. */
#ifndef UIPATH_FILE_REQUEST_H
#define UIPATH_FILE_REQUEST_H

#include "compat.h"
#include "engine/call.h"

/* Fills in the request of a call that a userdata owns already. The client is at index 1; from `first` on there are the
   address, the options (a table), the body (or nil) and a table of what else is to be known:

     download        what internal.download gave: where the answer's body goes; nil: into memory
     looks           true: what may be an access object is kept in memory all the same
     headers         of an access object: a list of name, value, name, value …; the address is its URL then, else a path
     authorized      with headers: whether our token goes along
     total_timeout   seconds, or nil, for messages
     ends_at         with it: when these are over, as internal.now() counts
     wants_progress  boolean

   Raises the caller's mistakes. NULL, or the static message of a `usage` error. [-0, +0] */
const char *file_request_build(lua_State *L, struct call_request *request, const char *method, int first);

/* Adds its functions to the table on top. [-0, +0] */
void file_request_add_internals(lua_State *L);

#endif
