/* The marks by which Lua tables are known as arrays. Pushing the metatable: see json.h. */
#ifndef JSON_MARKS_H
#define JSON_MARKS_H

#include <lua.h>
#include <stdbool.h>

/* Whether the value at index, a table with a metatable or light userdata, is marked as an array: by our own
   metatable or by one of cjson's marks, if cjson is loaded. [-0, +0] Raises nothing but memory errors. */
bool marks_array(lua_State *L, int index);

#endif
