/* Files that are their owner's alone. */
#ifndef UIPATH_PRIVATE_FILE_H
#define UIPATH_PRIVATE_FILE_H

#include "compat.h"

/* write_private(path, text) → true | nil, message: replaces the file in one step, readable by nobody else; folders above it that are missing
   are made likewise. */
int private_file_write(lua_State *L);

#endif
