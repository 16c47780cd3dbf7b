/* Files that are their owner's alone. */
#ifndef UIPATH_PRIVATE_FILE_H
#define UIPATH_PRIVATE_FILE_H

#include "compat.h"

/* update_private(path, change) → true | nil, message: change gets the file's text ("" where there is
   none) and gives what is to stand in it, or nil to leave it as it is. The file is replaced in one step,
   readable by nobody else; folders above it that are missing are made likewise. Of several processes one
   at a time is let in; after a second one goes on without the others' leave. What is no regular file is
   refused, and so is more than a megabyte. What change raises is raised. */
int private_file_update(lua_State *L);

/* read_private(path) → text | nil, message: the text of a regular file of a megabyte at most. */
int private_file_read(lua_State *L);

#endif
