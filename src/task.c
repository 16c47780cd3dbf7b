#include "task.h"

#include "weak_table.h"

/* The registry's name for the table from threads to their tasks' records (tables of uipath.concurrency and
   uipath.nginx), both held weakly: who runs the tasks holds the records, which name their threads, and a
   request of nginx that ends meanwhile takes all of them along. There is none until the first task. */
static const char tasks_key = 0;

/* Pushes the record of the running task. false, with nothing pushed: this thread is none's. [-0, +(0|1)] */
static bool push_record(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushthread(L);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_istable(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

bool task_can_yield(lua_State *L) {
  if (!lua_isyieldable(L) || !push_record(L)) return false;
  lua_pop(L, 1);
  return true;
}

void task_own_call(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (!push_record(L)) return;
  lua_getfield(L, -1, "calls");
  lua_pushvalue(L, index);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

/* set_task(thread, record): calls made on the thread yield from now on, and record.calls collects them; with nil they no longer do */
static int set_task(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTHREAD);
  lua_settop(L, 2);
  weak_table_push(L, &tasks_key, "kv");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, 3);
  return 0;
}

/* this_task() → the record of the running task, or nil: there is none, or it cannot yield here */
static int this_task(lua_State *L) {
  return lua_isyieldable(L) && push_record(L) ? 1 : 0;
}

void task_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {{"set_task", set_task}, {"this_task", this_task}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
