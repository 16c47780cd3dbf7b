/* Tables in the registry that do not keep alive what is in them. */
#ifndef UIPATH_WEAK_TABLE_H
#define UIPATH_WEAK_TABLE_H

#include "compat.h"

/* Pushes the table that the registry has under this address (of something static), a new one at the
   first time. mode: Lua's __mode, "k" for weak keys, "kv" for values that are weak, too: LuaJIT never
   frees an entry whose value leads to its key, if the keys alone are weak. [-0, +1] */
void weak_table_push(lua_State *L, const void *address, const char *mode);

#endif
