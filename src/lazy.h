/* Names whose Lua modules are loaded when they are first asked for: who never asks pays nothing. */
#ifndef UIPATH_LAZY_H
#define UIPATH_LAZY_H

#include "compat.h"

struct lazy_name {
  const char *name;   /* of the function in its module; NULL ends a list */
  const char *module; /* what require takes */
};

/* Gives the table on top a metatable by which these names (static) are looked up in their modules, which raises where one cannot be read.
   The metatable's `names` lists them. [-0, +0] */
void lazy_add(lua_State *L, const struct lazy_name *names);

#endif
