/* What a Lua state owns beyond its own memory. Finalizers free it, but for objects that other finalizers make while the state closes: these
   get none any more. What is linked here is freed with the state in any case. */
#ifndef OWNED_H
#define OWNED_H

#include "compat.h"

/* A member of an object that a userdata holds; all zero where it is not linked. */
struct owned {
  struct owned *next;
  struct owned **link;
  void (*release)(struct owned *owned);
};

/* To be called for each state, before the first userdata is made. [-0, +0] */
void owned_open(lua_State *L);

/* Links the object; release will be called where it is still linked when the state ends, and must stand being called for one that holds
   nothing. Raises where that end is over already. [-0, +0] */
void owned_add(lua_State *L, struct owned *owned, void (*release)(struct owned *owned));

/* Takes it out again; nothing happens where it is not linked. [-0, +0] */
void owned_remove(struct owned *owned);

#endif
