/* "Did you mean …": the nearest right name for a misspelt one. */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <lua.h>

/* Raises "unknown <what> 'fliter' (did you mean 'filter'?)", or without the question when no name
   is near. names ends with NULL. Never returns: an int for `return suggest_unknown(…)`. */
int suggest_unknown(lua_State *L, const char *what, const char *name, const char *const *names);

/* Adds what uipath.internal has of this file to the table on top. [-0, +0] */
void suggest_add_internals(lua_State *L);

#endif
