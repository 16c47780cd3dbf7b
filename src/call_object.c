#include "call_object.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/token.h"
#include "engine/spare.h"
#include "error.h"
#include "file_request.h"
#include "owned.h"
#include "request.h"
#include "response.h"
#include "task.h"

#define METATABLE "uipath.call"
/* Of calls whose client waits in Lua: their methods are Lua's. */
#define LUA_METATABLE "uipath.call that waits in Lua"
#define LONGEST_WAIT_S 1e9

struct call_object {
  struct owned owned;
  struct call *call; /* NULL once it has been collected: another finalizer may still have the object */
  const char *usage; /* the static message of a call that is a usage error; such a call is never submitted */
  bool drop_nulls;
  bool has_results;  /* the user value holds value and response, or nil and err */
  const char *client_secret; /* the client's, which the user value keeps alive */
  call_results *results;     /* gives Lua what the call came to */
  struct call_event *events; /* taken from the call, and not all told yet */
  char where[LUA_IDSIZE + 16];
};

#define INTERRUPTION "interrupted" /* the name of the chunk that run_hooks runs */
static const char interruption_key = 0; /* the registry's name for the Lua function that an interrupted wait calls */

/* ======================================================================== */
/* Making and freeing                                                       */
/* ======================================================================== */

/* Frees the first of the events that have been taken. */
static void drop_event(struct call_object *object) {
  struct call_event *event = object->events;
  object->events = event->next;
  call_event_free(event);
}

/* Frees the call early: a page's body need not wait for the collector. */
static void release(struct call_object *object) {
  while (object->events != NULL) drop_event(object);
  call_release(object->call);
  object->call = NULL;
}

/* Frees the call, which may be under way. */
static void abandon(struct owned *owned) {
  struct call_object *object = (struct call_object *)owned;
  if (object->call == NULL) return;
  if (object->usage == NULL) engine_cancel(object->call);
  release(object);
}

/* Pushes a new call of the client at index 1. [-0, +1] */
static struct call_object *new_object(lua_State *L, call_results *results) {
  const struct client *client = client_check(L, 1);
  struct call_object *object = lua_newuserdatauv(L, sizeof *object, 1);
  *object = (struct call_object){.drop_nulls = client->drop_nulls, .client_secret = client->client_secret, .results = results};
  luaL_getmetatable(L, client->waits_in_lua ? LUA_METATABLE : METATABLE);
  lua_setmetatable(L, -2);
  /* The resolved options: they hold the secret that is borrowed above. */
  lua_getiuservalue(L, 1, 1);
  lua_setiuservalue(L, -2, 1);
  owned_add(L, &object->owned, abandon);
  object->call = call_new();
  if (object->call == NULL) luaL_error(L, "not enough memory");
  error_position(L, object->where, sizeof object->where);
  task_own_call(L, -1);
  return object;
}

/* Pushes a new call with its request built. [-0, +1] */
static struct call_object *new_request(lua_State *L, call_results *results, const char *method, int path, int options, int body) {
  int top = lua_gettop(L);
  struct call_object *object = new_object(L, results);
  object->usage = request_build(L, &object->call->request, method, path, options, body);
  lua_settop(L, top + 1);
  return object;
}

static struct call_object *check_object(lua_State *L, int index) {
  struct call_object *object = luaL_testudata(L, index, LUA_METATABLE);
  return object != NULL ? object : luaL_checkudata(L, index, METATABLE);
}

/* ======================================================================== */
/* Waiting                                                                  */
/* ======================================================================== */

static void cancel_all(struct call *const *calls, size_t count) {
  for (size_t i = 0; i < count; i++) engine_cancel(calls[i]);
}

/* Gives the message on top, which a hook has raised in our chunk, the position of the script instead. [-1, +1] */
static void set_script_position(lua_State *L) {
  static const char chunk[] = INTERRUPTION ":";
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strncmp(message, chunk, sizeof chunk - 1) != 0) return;
  message += sizeof chunk - 1;
  message += strspn(message, "0123456789");
  char where[LUA_IDSIZE + 16];
  error_position(L, where, sizeof where);
  lua_pushfstring(L, "%s%s", where, where[0] == '\0' ? message + strspn(message, ": ") : message);
  lua_remove(L, -2);
}

/* Lets Lua run the hook by which lua.c's Ctrl-C ends a program; a raise cancels the calls first. [-0, +0] */
static void run_hooks(lua_State *L, struct call *const *calls, size_t count, lua_Hook main_hook) {
#if LUA_VERSION_NUM > 501
  /* lua.c sets its hook on the main thread, which is not running while a coroutine waits. */
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main_thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  bool interrupted = main_thread != L && lua_gethook(main_thread) != main_hook;
#else
  (void)main_hook;
  bool interrupted = false;
#endif
  lua_rawgetp(L, LUA_REGISTRYINDEX, &interruption_key);
  if (lua_isnil(L, -1)) { /* one that does nothing will do */
    lua_pop(L, 1);
    if (luaL_loadbuffer(L, "return", 6, "=" INTERRUPTION) != 0) lua_error(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &interruption_key);
  }
  bool raised = lua_pcall(L, 0, 0, 0) != 0;
  if (!raised && !interrupted) return;
  cancel_all(calls, count);
  if (!raised) luaL_error(L, "interrupted!");
  set_script_position(L);
  lua_error(L);
}

void call_on_interruption(lua_State *L) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interruption_key);
}

static lua_Hook main_hook_of(lua_State *L) {
#if LUA_VERSION_NUM > 501
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_Hook hook = lua_gethook(lua_tothread(L, -1));
  lua_pop(L, 1);
  return hook;
#else
  return lua_gethook(L);
#endif
}

/* Blocks until one of the calls, of which there is at least one, is ready (true) or seconds have passed (false; < 0: no limit). May raise what a hook raises. */
static bool await_any(lua_State *L, struct call *const *calls, size_t count, double seconds) {
  lua_Hook main_hook = main_hook_of(L);
  /* Rather a millisecond late than early: the clock's own milliseconds are rounded down. */
  int64_t deadline_ms = seconds < 0 ? INT64_MAX : clock_monotonic_ms() + (seconds > 0 ? (int64_t)(seconds * 1000) + 1 : 0);
  enum engine_wait_result result;
  while ((result = engine_await(calls, count, deadline_ms)) == ENGINE_WAIT_INTERRUPTED) run_hooks(L, calls, count, main_hook);
  return result == ENGINE_WAIT_READY;
}

static bool await(lua_State *L, struct call *call, double seconds) {
  return call_phase(call) == CALL_DONE || await_any(L, &call, 1, seconds);
}

/* Pushes the results of a call that is done. [-0, +2] */
static void push_results(lua_State *L, const struct call_object *object) {
  if (object->call == NULL) luaL_error(L, "the call has been collected");
  if (object->usage != NULL) {
    response_push_usage(L, &object->call->request, object->usage, object->where);
    return;
  }
  response_push(L, object->call,
                &(struct response_context){
                    .drop_nulls = object->drop_nulls, .client_secret = object->client_secret, .where = object->where});
}

/* The results of a call that nobody else has: pushes them and frees the call. */
static int take_results(lua_State *L, int index) {
  struct call_object *object = check_object(L, index);
  push_results(L, object);
  release(object);
  return 2;
}

/* Runs the call on top to its end: blocks and pushes its results, or yields it to the scheduler, which does the same. For `return`. */
static int run(lua_State *L, struct call_object *object) {
  if (object->usage == NULL) {
    bool yields = task_can_yield(L);
    /* Other tasks may be long at work before the scheduler waits. */
    engine_submit(object->call, !yields);
    if (yields) return lua_yield(L, 1);
    await(L, object->call, -1);
  }
  return object->results(L, lua_gettop(L));
}

int call_run(lua_State *L, const char *method, int path, int options, int body) {
  return run(L, new_request(L, take_results, method, path, options, body));
}

/* Pushes a call that only fetches the token of the client at index 1. [-0, +1] */
static struct call_object *new_token_request(lua_State *L, call_results *results) {
  struct call_object *object = new_object(L, results);
  request_build_token_only(L, &object->call->request);
  return object;
}

int call_run_token(lua_State *L, call_results *results) {
  return run(L, new_token_request(L, results));
}

int call_start_token(lua_State *L, call_results *results) {
  engine_submit(new_token_request(L, results)->call, false);
  return 1;
}

const struct token *call_token(lua_State *L, int index, enum token_kind *kind) {
  const struct call_object *object = check_object(L, index);
  if (object->call == NULL) {
    luaL_error(L, "the call has been collected");
    return NULL;
  }
  const struct call_reply *reply = &object->call->reply;
  *kind = token_source_kind(object->call->request.token_source);
  if (reply->error == CALL_OK && reply->token != NULL) return reply->token;
  push_results(L, object);
  return NULL;
}

static call_results kept_results;

/* Pushes a call with its request built, under way. [-0, +1] */
static void start(lua_State *L, const char *method, int path, int options, int body) {
  struct call_object *object = new_request(L, kept_results, method, path, options, body);
  if (object->usage == NULL) engine_submit(object->call, false);
}

int call_start(lua_State *L, const char *method, int path, int options) {
  start(L, method, path, options, 0);
  return 1;
}

/* ======================================================================== */
/* Methods                                                                  */
/* ======================================================================== */

static bool is_done(const struct call_object *object) {
  return object->call == NULL || object->usage != NULL || object->has_results || call_phase(object->call) == CALL_DONE;
}

/* The results of a call that Lua has: pushes them, made at the first asking and kept. */
static int kept_results(lua_State *L, int index) {
  struct call_object *object = check_object(L, index);
  if (!object->has_results) {
    push_results(L, object);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 2);
    lua_setiuservalue(L, index, 1);
    object->has_results = true;
    object->client_secret = NULL; /* no longer kept alive */
    spare_give(&object->call->reply.body); /* a page's need not wait for the collector */
    return 2;
  }
  lua_getiuservalue(L, index, 1);
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  return 2;
}

/* The seconds at index, -1 if absent. */
static double check_seconds(lua_State *L, int index) {
  if (lua_isnoneornil(L, index)) return -1;
  double seconds = (double)luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= 0, index, "seconds must not be negative");
  return seconds > LONGEST_WAIT_S ? LONGEST_WAIT_S : seconds;
}

/* Pushes nil and the error of a wait that ended before the call. [-0, +2] */
static int push_still_running(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "the call is still under way");
  error_new_message(L, "timeout");
  return 2;
}

static int call_wait(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  double seconds = check_seconds(L, 2);
  if (!is_done(object)) {
    if (seconds != 0 && task_can_yield(L)) {
      lua_settop(L, 2);
      return lua_yield(L, 2);
    }
    if (!await(L, object->call, seconds) || call_phase(object->call) != CALL_DONE) return push_still_running(L);
  }
  return kept_results(L, 1);
}

static int call_done(lua_State *L) {
  lua_pushboolean(L, is_done(check_object(L, 1)));
  return 1;
}

static int call_cancel(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (!is_done(object)) engine_cancel(object->call);
  return 0;
}

static int call_fd(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  int descriptor = object->call == NULL ? -1 : engine_call_fd(object->call);
  if (descriptor < 0) return luaL_error(L, "no descriptor is to be had for this call");
  lua_pushinteger(L, descriptor);
  return 1;
}

static int call_collect(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  owned_remove(&object->owned);
  abandon(&object->owned);
  return 0;
}

static int call_tostring(lua_State *L) {
  const struct call_object *object = check_object(L, 1);
  if (object->call == NULL) {
    lua_pushliteral(L, "uipath.call (over)");
    return 1;
  }
  const struct call_request *request = &object->call->request;
  const char *url = request->url.data == NULL ? "" : request->url.data;
  const char *state = is_done(object) ? "done" : "under way";
  lua_pushfstring(L, "uipath.call (%s ", request->method);
  lua_pushlstring(L, url, strcspn(url, "?"));
  lua_pushfstring(L, ", %s)", state);
  lua_concat(L, 3);
  return 1;
}

/* ======================================================================== */
/* For uipath.functions: waits in steps, between which Lua functions run    */
/* ======================================================================== */

/* start(client, method, path [, options [, body]]) → call */
static int internal_start(lua_State *L) {
  const char *method = luaL_checkstring(L, 2);
  lua_settop(L, 5);
  start(L, method, 3, 4, 5);
  return 1;
}

/* begin(…) → call: the same for one that is waited for at once and gives its results but once */
static int internal_begin(lua_State *L) {
  const char *method = luaL_checkstring(L, 2);
  lua_settop(L, 5);
  struct call_object *object = new_request(L, take_results, method, 3, 4, 5);
  if (object->usage == NULL) engine_submit(object->call, true);
  return 1;
}

/* begin_file(client, method, address, options, body, transfer) → call: likewise, for what client:download and client:upload send; see
   file_request.h */
static int internal_begin_file(lua_State *L) {
  const char *method = luaL_checkstring(L, 2);
  lua_settop(L, 6);
  struct call_object *object = new_object(L, take_results);
  object->usage = file_request_build(L, &object->call->request, method, 3);
  lua_settop(L, 7);
  /* Other tasks may be long at work before the scheduler waits. */
  if (object->usage == NULL) engine_submit(object->call, !task_can_yield(L));
  return 1;
}

/* step(call [, seconds]) → "done", "asking", "events" or "timeout" */
static int internal_step(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  double seconds = check_seconds(L, 2);
  const char *state = "done";
  if (!is_done(object)) {
    bool ready = await(L, object->call, seconds);
    if (engine_is_asking(object->call)) state = "asking";
    else if (call_phase(object->call) != CALL_DONE) state = ready ? "events" : "timeout";
  }
  lua_pushstring(L, state);
  return 1;
}

/* state(call) → "done", "asking", "events", or "waiting": without waiting */
static int internal_state(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  const char *state = "done";
  if (!is_done(object)) {
    bool ready = engine_is_ready(object->call);
    enum call_phase phase = call_phase(object->call);
    if (engine_is_asking(object->call)) state = "asking";
    else if (phase != CALL_DONE) state = ready ? "events" : "waiting";
  }
  lua_pushstring(L, state);
  return 1;
}

/* Pushes the number by which a call is asked for, as a string; nothing if it is 0. Gives how
   many values that makes. [-0, +(0|1)] */
static int push_number(lua_State *L, uint64_t number) {
  if (number == 0) return 0;
  char digits[24];
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
  lua_pushstring(L, digits);
  return 1;
}

/* notify(call) → address, number (a string): where to ask for the call; the number is nil when it is done, both are where there is no such socket */
static int internal_notify(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  const char *address = "";
  uint64_t number = 0;
  if (!is_done(object) && !engine_notify(object->call, &address, &number)) return 0;
  lua_pushstring(L, address);
  return 1 + push_number(L, number);
}

/* subscribe(call, subscriber) → number (a string), by which that subscriber to the socket is
   told that the call is ready; nil: it is ready, or there is no such socket any more */
static int internal_subscribe(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  uint64_t subscriber = (uint64_t)luaL_checkinteger(L, 2);
  uint64_t number = is_done(object) ? 0 : engine_subscribe(object->call, subscriber);
  return push_number(L, number);
}

/* unsubscribe(call): who waited for it by a subscriber was killed, and perhaps nobody wants it
   any more */
static int internal_unsubscribe(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (!is_done(object)) engine_unsubscribe(object->call);
  return 0;
}

/* stop_telling(call, subscriber): who waited for it by that subscriber waits no longer, and the call
   goes on */
static int internal_stop_telling(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  uint64_t subscriber = (uint64_t)luaL_checkinteger(L, 2);
  if (!is_done(object)) engine_stop_telling(object->call, subscriber);
  return 0;
}

/* is_yieldable() → boolean: whether the caller can yield */
static int internal_is_yieldable(lua_State *L) {
  lua_pushboolean(L, lua_isyieldable(L));
  return 1;
}

/* give(call, token [, seconds]); refuse(call, message [, for_all]) */
static int internal_give(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  double seconds = check_seconds(L, 3);
  if (object->call == NULL) return 0;
  /* One that is over when it arrives would be asked for again and again. */
  if (seconds >= 0 && seconds < 1) seconds = 1;
  engine_give_token(object->call, luaL_checkstring(L, 2), seconds < 0 ? -1 : (int64_t)(seconds * 1000));
  return 0;
}

static int internal_refuse(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (object->call != NULL) engine_refuse_token(object->call, luaL_checkstring(L, 2), lua_toboolean(L, 3) != 0);
  return 0;
}

/* Pushes an event for the token store: { store = "save" | "drop" | "renew", token =, expires_at = }. [-0, +1] */
static void push_store_event(lua_State *L, const struct call_event *event) {
  static const char *const actions[] = {[EVENT_STORE_SAVE] = "save", [EVENT_STORE_DROP] = "drop", [EVENT_STORE_RENEW] = "renew"};
  lua_createtable(L, 0, 3);
  lua_pushstring(L, actions[event->kind]);
  lua_setfield(L, -2, "store");
  lua_pushstring(L, event->token->value);
  lua_setfield(L, -2, "token");
  client_push_expiry(L, event->token);
  lua_setfield(L, -2, "expires_at");
}

/* Pushes { progress = true, done =, total = }: for on_progress alone. [-0, +1] */
static void push_progress(lua_State *L, const struct call_event *event) {
  lua_createtable(L, 0, 3);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "progress");
  compat_push_int64(L, event->done);
  lua_setfield(L, -2, "done");
  if (event->total < 0) return;
  compat_push_int64(L, event->total);
  lua_setfield(L, -2, "total");
}

/* fetch(call): the token store has none */
static int internal_fetch(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (object->call != NULL) engine_fetch_token(object->call);
  return 0;
}

/* Pushes one event as a table. [-0, +1] */
static void push_event(lua_State *L, const struct call_request *request, const struct call_event *event) {
  static const char *const types[] = {[EVENT_ATTEMPT] = "attempt", [EVENT_RETRY] = "retry", [EVENT_TOKEN] = "token"};
  if (event->token != NULL) {
    push_store_event(L, event);
    return;
  }
  if (event->kind == EVENT_PROGRESS) {
    push_progress(L, event);
    return;
  }
  lua_createtable(L, 0, 8);
  lua_pushstring(L, types[event->kind]);
  lua_setfield(L, -2, "type");
  if (event->kind != EVENT_TOKEN) {
    lua_pushstring(L, request->method);
    lua_setfield(L, -2, "method");
    lua_pushlstring(L, request->url.data, request->is_presigned ? strcspn(request->url.data, "?") : request->url.length);
    lua_setfield(L, -2, "url");
    lua_pushinteger(L, event->attempt);
    lua_setfield(L, -2, "attempt");
  } else {
    lua_pushstring(L, token_source_endpoint(request->token_source));
    lua_setfield(L, -2, "url");
  }
  if (event->status != 0) {
    lua_pushinteger(L, event->status);
    lua_setfield(L, -2, "status");
  }
  if (event->kind == EVENT_RETRY) {
    lua_pushnumber(L, event->delay);
    lua_setfield(L, -2, "delay");
    lua_pushstring(L, event->reason == NULL ? "" : event->reason);
    lua_setfield(L, -2, "reason");
  } else {
    lua_pushnumber(L, event->elapsed);
    lua_setfield(L, -2, "elapsed");
  }
  if (event->message[0] != '\0') {
    lua_pushstring(L, event->message);
    lua_setfield(L, -2, "message");
  }
}

/* events(call) → list of those since the last time */
static int internal_events(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  lua_newtable(L);
  if (object->usage != NULL || object->call == NULL) return 1;
  for (int count = 1;; count++) {
    if (object->events == NULL) object->events = engine_take_events(object->call);
    if (object->events == NULL) return 1;
    push_event(L, &object->call->request, object->events);
    lua_rawseti(L, -2, count);
    drop_event(object);
  }
}

/* options(call) → the resolved options of its client; nil once the results have been taken */
static int internal_options(lua_State *L) {
  if (check_object(L, 1)->has_results) lua_pushnil(L);
  else lua_getiuservalue(L, 1, 1);
  return 1;
}

/* results(call) → value, response or nil, err; for a call to a token what client:token and its like give */
static int internal_results(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (!is_done(object)) return push_still_running(L);
  return object->results(L, 1);
}

/* forget(call): gives up the results that it keeps. A page's rows would else live on until the call has been finalized, a cycle of the
   collector later. */
static int internal_forget(lua_State *L) {
  struct call_object *object = check_object(L, 1);
  if (!object->has_results) return 0;
  lua_newtable(L);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

/* is_call(value) → boolean */
static int internal_is_call(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, METATABLE) != NULL || luaL_testudata(L, 1, LUA_METATABLE) != NULL);
  return 1;
}

#define FEW_CALLS 64
/* Without a call to wait for: at most so long at a time. */
#define LONGEST_SLEEP_S 0.05

/* select(calls, count, seconds, ready) → number: blocks until some of calls[1 … count] are ready (done, asking or with events), whose
   indices go to ready[1 … number], or until seconds have passed (nil: no limit). */
static int internal_select(lua_State *L) {
  size_t count = (size_t)luaL_checkinteger(L, 2);
  double seconds = check_seconds(L, 3);
  lua_settop(L, 4);
  struct call *few[FEW_CALLS], **calls = few;
  if (count > FEW_CALLS) calls = lua_newuserdatauv(L, count * sizeof(struct call *), 1);
  size_t waiting = 0;
  lua_Integer ready = 0;
  for (int pass = 0; pass < 2 && ready == 0; pass++) {
    waiting = 0;
    for (size_t i = 1; i <= count; i++) {
      lua_rawgeti(L, 1, (int)i);
      struct call_object *object = check_object(L, -1);
      lua_pop(L, 1);
      if (is_done(object) || engine_is_ready(object->call)) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_rawseti(L, 4, (int)++ready);
      } else {
        calls[waiting++] = object->call;
      }
    }
    if (ready > 0 || pass > 0) break;
    if (waiting == 0) poll(NULL, 0, seconds < 0 || seconds > LONGEST_SLEEP_S ? (int)(LONGEST_SLEEP_S * 1000) : (int)(seconds * 1000) + 1);
    else if (!await_any(L, calls, waiting, seconds)) break;
  }
  lua_pushinteger(L, ready);
  return 1;
}

/* check(client, path [, options]): raises what a GET of them would raise for the caller's mistakes; nothing is sent */
static int internal_check(lua_State *L) {
  client_check(L, 1);
  lua_settop(L, 3);
  new_request(L, kept_results, "GET", 2, 3, 0);
  return 0;
}

void call_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", internal_start},     {"begin", internal_begin},     {"begin_file", internal_begin_file},
      {"step", internal_step},       {"give", internal_give},       {"refuse", internal_refuse},
      {"fetch", internal_fetch},     {"check", internal_check},
      {"events", internal_events},   {"results", internal_results}, {"is_call", internal_is_call}, {"select", internal_select},
      {"options", internal_options}, {"cancel", call_cancel},       {"fd", call_fd},               {"forget", internal_forget},
      {"state", internal_state},     {"notify", internal_notify},   {"subscribe", internal_subscribe},
      {"unsubscribe", internal_unsubscribe}, {"stop_telling", internal_stop_telling}, {"is_yieldable", internal_is_yieldable}, {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}

/* Creates a metatable whose methods are those in the table on top. [-1, +0] */
static void new_metatable(lua_State *L, const char *name) {
  static const luaL_Reg metamethods[] = {
      {"__gc", call_collect}, {"__tostring", call_tostring}, {"__close", call_cancel}, {NULL, NULL}};
  luaL_newmetatable(L, name);
  lua_pushliteral(L, METATABLE);
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, METATABLE);
  lua_setfield(L, -2, "__metatable"); /* what getmetatable gives: nothing that could be called at the wrong time */
  luaL_setfuncs(L, metamethods, 0);
  lua_insert(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void call_open_functions(lua_State *L) {
  new_metatable(L, LUA_METATABLE);
}

void call_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", call_wait}, {"done", call_done}, {"cancel", call_cancel}, {"fd", call_fd}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  new_metatable(L, METATABLE);
}
