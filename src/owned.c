#include "owned.h"

#include <stdbool.h>

/* A userdata in the registry. It is older than all objects that are linked, and finalizers run from the newest to the oldest. */
struct list {
  struct owned *first;
  bool is_over;
};

static const char list_key = 0; /* the registry's name for it */

void owned_remove(struct owned *owned) {
  if (owned->link == NULL) return;
  *owned->link = owned->next;
  if (owned->next != NULL) owned->next->link = owned->link;
  owned->next = NULL;
  owned->link = NULL;
}

/* The list's __gc: the state closes. */
static int end(lua_State *L) {
  struct list *list = lua_touserdata(L, 1);
  list->is_over = true;
  while (list->first != NULL) {
    struct owned *owned = list->first;
    owned_remove(owned);
    owned->release(owned);
  }
  return 0;
}

void owned_open(lua_State *L) {
  bool is_open = lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key) != LUA_TNIL;
  lua_pop(L, 1);
  if (is_open) return; /* the module is opened once more */
  struct list *list = lua_newuserdatauv(L, sizeof *list, 1);
  *list = (struct list){NULL, false};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, end);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
}

void owned_add(lua_State *L, struct owned *owned, void (*release)(struct owned *owned)) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
  struct list *list = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (list == NULL || list->is_over) {
    luaL_error(L, "the Lua state is closing");
    return;
  }
  *owned = (struct owned){.next = list->first, .link = &list->first, .release = release};
  if (owned->next != NULL) owned->next->link = &owned->next;
  list->first = owned;
}
