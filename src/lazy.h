/* Names whose Lua modules are loaded when they are first asked for: who never asks pays nothing. */
#ifndef UIPATH_LAZY_H
#define UIPATH_LAZY_H

#include <stdbool.h>

#include "compat.h"

struct lazy_name {
  const char *name;   /* of the function in its module; NULL ends a list */
  const char *module; /* what require takes */
  bool raises;        /* whether a module that is out of reach raises: for what gives no `nil, err` */
};

/* Pushes the module and gives true; or, where it cannot be had, why, as a string, and false. An
   interruption and a lack of memory are raised on. [-0, +1] */
bool lazy_load(lua_State *L, const char *module);

/* Gives the table on top a metatable by which these names (static) are looked up in their modules.
   A name whose module is out of reach is a function that gives nil and an error, or raises the
   error at once. The metatable's `names` lists them. [-0, +0] */
void lazy_add(lua_State *L, const struct lazy_name *names);

#endif
