/* OData's filters, lists and keys: Lua values as text for a query or a path (OData 4.01). */
#ifndef ODATA_H
#define ODATA_H

#include <lua.h>

/* The filter at index: a string as it is, or a list { text, v1, … } in whose text each `?` outside
   quotes is replaced by the literal of its value. [-0, +1]; raises when the counts differ, when a
   value is nil or has no literal. */
void odata_push_filter(lua_State *L, int index);

/* A list ("Id", "Name") joined with commas, or the one string; numbers written exactly. name is the
   option's, for messages. [-0, +1]; raises on other types. */
void odata_push_list(lua_State *L, int index, const char *name);

/* Pushes the table uipath.odata: filter guid date enum key. [-0, +1] */
void odata_open(lua_State *L);

#endif
