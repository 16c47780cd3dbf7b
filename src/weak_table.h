/* Tables in the registry whose keys do not keep alive what they are. */
#ifndef UIPATH_WEAK_TABLE_H
#define UIPATH_WEAK_TABLE_H

#include "compat.h"

/* Pushes the table that the registry has under this address (of something static), a new one at the first time. [-0, +1] */
void weak_table_push(lua_State *L, const void *address);

#endif
