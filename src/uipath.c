/* The module. */
#include <dlfcn.h>
#include <string.h>

#include "body.h"
#include "call_object.h"
#include "client.h"
#include "error.h"
#include "file_request.h"
#include "json/json.h"
#include "lazy.h"
#include "odata.h"
#include "one_line.h"
#include "owned.h"
#include "private_file.h"
#include "request.h"
#include "suggest.h"
#include "task.h"
#include "version.h"

__attribute__((visibility("default"))) int luaopen_uipath(lua_State *L);

/* An address by which the dynamic linker knows this module. */
static char stays_here;

/* uipath.json.decode(text) → value | nil, err */
static int decode(lua_State *L) {
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &length);
  if (json_decode(L, text, length, NULL)) return 1;
  error_new_message(L, "decode");
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* uipath.json.encode(value) → text | nil, err */
static int encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (json_encode(L, 1)) return 1;
  error_new_message(L, "usage");
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* uipath.array([t]) → t */
static int array(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  json_push_array_metatable(L);
  lua_setmetatable(L, 1);
  return 1;
}

/* uipath.preload() → true: loads what a client can need later. Raises where a file cannot be had, as
   require does: the host is still starting. */
static int preload(lua_State *L) {
  /* What these load themselves (the catalogue's data, paging's envelopes, nginx's half in nginx) comes
     along. The prompt, the command and the sandbox are not for hosts. */
  static const char *const modules[] = {
      "uipath.catalogue",         "uipath.concurrency",      "uipath.failure",          "uipath.files",
      "uipath.functions",         "uipath.hints",            "uipath.paging",           "uipath.profile",
      "uipath.recipes",           "uipath.recipes.assets",   "uipath.recipes.buckets",  "uipath.recipes.exports",
      "uipath.recipes.folders",   "uipath.recipes.jobs",     "uipath.recipes.packages", "uipath.recipes.processes",
      "uipath.recipes.queues",    "uipath.recipes.schedules", "uipath.recipes.tests",   "uipath.sleeping",
      "uipath.store",
      "uipath.store.file", "uipath.store.redis", "uipath.store.shared_dict", "uipath.token",
      "uipath.token_store",
  };
  error_preload(L);
  json_push_array_metatable(L); /* cjson's, which is a file, too */
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    if (!lazy_load(L, modules[i])) lua_error(L);
    lua_pop(L, 1);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* require "uipath.internal": what the Lua half of this library needs of the C half, and nobody else. */
static int open_internal(lua_State *L) {
  lua_createtable(L, 0, 32);
  call_add_internals(L);
  client_add_internals(L);
  error_add_internals(L);
  file_request_add_internals(L);
  one_line_add_internals(L);
  request_add_internals(L);
  suggest_add_internals(L);
  task_add_internals(L);
  lua_pushcfunction(L, private_file_read);
  lua_setfield(L, -2, "read_private");
  lua_pushcfunction(L, private_file_update);
  lua_setfield(L, -2, "update_private");
  return 1;
}

static void preload_internal(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open_internal);
  lua_setfield(L, -2, "uipath.internal");
  lua_pop(L, 2);
}

/* Keeps the module's code in the process when the Lua state that has loaded it closes: the engine's
   thread runs on, for other states, and what is to run at the process's end is in it as well. Done
   here and not by the linker, it is so in every build. */
static void stay_loaded(void) {
  Dl_info self;
  if (dladdr((void *)&stays_here, &self) == 0) return;
  void *handle = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (handle != NULL) dlclose(handle);
}

int luaopen_uipath(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"connect", client_connect}, {"array", array},           {"multipart", body_multipart}, {"file", body_file},
      {"check", error_check},      {"is_error", error_is_error}, {"preload", preload},          {NULL, NULL},
  };
  static const luaL_Reg json_functions[] = {{"decode", decode}, {"encode", encode}, {NULL, NULL}};
  static const struct lazy_name later[] = {
      {"map", "uipath.concurrency", false},      {"all", "uipath.concurrency", false},
      {"endpoints", "uipath.catalogue", false},  {"scopes_for", "uipath.catalogue", false},
      {"store", "uipath.store", true},           {"sleep", "uipath.sleeping", true},
      {NULL, NULL, false},
  };
  stay_loaded();
  owned_open(L);
  preload_internal(L);
  call_open(L);
  client_open(L);
  lua_createtable(L, 0, 16);
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_createtable(L, 0, 2);
  luaL_setfuncs(L, json_functions, 0);
  lua_setfield(L, -2, "json");
  odata_open(L);
  lua_setfield(L, -2, "odata");
  lua_pushliteral(L, "uipath " UIPATH_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lazy_add(L, later);
  return 1;
}
