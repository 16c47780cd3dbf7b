#include "client.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "call_object.h"
#include "engine/clock.h"
#include "engine/sha256.h"
#include "engine/text.h"
#include "error.h"
#include "lazy.h"
#include "options.h"
#include "weak_table.h"

#define METATABLE "uipath.client"
/* Of clients that wait in Lua, so that a function among their options, or nginx, may yield meanwhile: their methods are Lua's. */
#define LUA_METATABLE "uipath.client that waits in Lua"

/* The client at index, which may have been collected already; raises if it is none. [-0, +0] */
static struct client *check_any(lua_State *L, int index) {
  struct client *client = luaL_testudata(L, index, METATABLE);
  if (client == NULL) client = luaL_testudata(L, index, LUA_METATABLE);
  if (client == NULL) luaL_checkudata(L, index, METATABLE); /* for its message */
  return client;
}

struct client *client_check(lua_State *L, int index) {
  struct client *client = check_any(L, index);
  /* When a state closes, finalizers run in an order of their own, and may still have the client. */
  if (client->transport == NULL) luaL_error(L, "the client has been collected");
  return client;
}

/* ======================================================================== */
/* Making                                                                   */
/* ======================================================================== */

/* The string field of the resolved options at index, which keep it alive; NULL if absent or no string. */
static const char *string_option(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  const char *string = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1);
  return string;
}

static double number_option(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  double number = (double)lua_tonumber(L, -1);
  lua_pop(L, 1);
  return number;
}

static bool is_function_option(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  bool is_function = lua_isfunction(L, -1);
  lua_pop(L, 1);
  return is_function;
}

static bool is_table_option(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  bool is_table = lua_istable(L, -1);
  lua_pop(L, 1);
  return is_table;
}

/* Whether this is the Lua of an nginx process that has phases, as its event loop has and its pool of threads has not. [-0, +0] */
static bool in_nginx(lua_State *L) {
  lua_getglobal(L, "ngx");
  bool found = lua_istable(L, -1);
  if (found) {
    lua_getfield(L, -1, "get_phase");
    found = lua_isfunction(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found;
}

static enum url_deployment deployment_option(lua_State *L, int index) {
  const char *name = string_option(L, index, "deployment");
  if (strcmp(name, "suite") == 0) return URL_SUITE;
  return strcmp(name, "standalone") == 0 ? URL_STANDALONE : URL_CLOUD;
}

/* The groups of recipes, each of them a field of every client; what they are is in uipath/recipes. */
static const char *const groups[] = {"assets",    "buckets", "exports",   "folders", "jobs", "packages",
                                     "processes", "queues",  "schedules", "tests",   NULL};

/* client[name]: one of the methods in upvalue 1, or a group of recipes, made for this client. Raises where the group's
   file is out of reach. */
static int client_index(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  if (!lua_isnil(L, 3) || lua_type(L, 2) != LUA_TSTRING) return 1;
  const char *const *group = groups;
  while (*group != NULL && strcmp(*group, lua_tostring(L, 2)) != 0) group++;
  if (*group == NULL) return 1;
  if (!lazy_load(L, "uipath.recipes")) {
    error_new_unreachable(L);
    return lua_error(L);
  }
  lua_getfield(L, -1, "group");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* Pushes the list of the groups' names. [-0, +1] */
static void push_groups(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; groups[i] != NULL; i++) {
    lua_pushstring(L, groups[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* Gives the metatable below the methods on top, which it takes, what finds them and the groups. Both are in the metatable
   by name, too, for those that list them. [-1, +0] */
static void set_index(lua_State *L) {
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods");
  lua_pushcclosure(L, client_index, 1);
  lua_setfield(L, -2, "__index");
  push_groups(L);
  lua_setfield(L, -2, "groups");
}

/* Creates the metatable of clients that wait in Lua and that of their calls, from uipath.functions. [-0, +0] */
static void open_functions(lua_State *L) {
  luaL_getmetatable(L, LUA_METATABLE);
  bool is_open = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (is_open) return;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "uipath.functions");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "call_methods");
  call_open_functions(L);
  lua_getfield(L, -1, "client_methods");
  lua_remove(L, -2);
  int methods = lua_gettop(L);
  luaL_getmetatable(L, METATABLE);
  int plain = lua_gettop(L);
  luaL_newmetatable(L, LUA_METATABLE);
  int metatable = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, plain) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, metatable);
  }
  /* What Lua does not replace is as it is for other clients. */
  lua_createtable(L, 0, 1);
  lua_getfield(L, plain, "methods");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, methods);
  lua_pushvalue(L, methods);
  set_index(L);
  lua_pop(L, 3);
}

/* The settings of connections that the resolved options at index come to; raises without memory. */
static struct transport_settings *new_transport(lua_State *L, int index) {
  lua_getfield(L, index, "insecure");
  struct transport_settings like = {
      .ca_file = string_option(L, index, "ca_file"),
      .ca_dir = string_option(L, index, "ca_dir"),
      .proxy = string_option(L, index, "proxy"),
      .no_proxy = string_option(L, index, "no_proxy"),
      .insecure = lua_toboolean(L, -1) != 0,
      .connect_timeout_ms = (int64_t)ceil(number_option(L, index, "connect_timeout") * 1000),
  };
  lua_pop(L, 1);
  struct transport_settings *settings = transport_settings_new(&like);
  if (settings == NULL) luaL_error(L, "not enough memory");
  return settings;
}

/* Whether the access_token of both resolved option tables is the same function. */
static bool same_function(lua_State *L, int one, int other) {
  lua_getfield(L, one, "access_token");
  lua_getfield(L, other, "access_token");
  bool same = lua_isfunction(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* Pushes what tells the token store of the resolved options at index from others; nil: there is no store. Stores of our own say it themselves,
   any other table has a number. [-0, +1] */
static void push_store(lua_State *L, int index) {
  static const char numbers_key = 0; /* the registry's name for the numbers of tables */
  static atomic_uint last_number;
  lua_getfield(L, index, "token_store");
  int store = lua_gettop(L);
  if (lua_isnil(L, store)) return;
  lua_getfield(L, store, "identity");
  if (lua_type(L, -1) != LUA_TSTRING) {
    weak_table_push(L, &numbers_key, "k");
    lua_pushvalue(L, store);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
      int numbers = lua_gettop(L) - 1;
      lua_pushfstring(L, "table %d", (int)++last_number);
      lua_pushvalue(L, store);
      lua_pushvalue(L, -2);
      lua_rawset(L, numbers);
    }
  }
  lua_replace(L, store);
  lua_settop(L, store);
}

/* The name by which a store knows the token: a hash of what makes it the same for all, without a secret. false: no memory. */
static bool hash_key(const struct token_key *key, char hash[SHA256_HEX_SIZE]) {
  struct buffer text = BUFFER_EMPTY;
  bool complete = buffer_append_string(&text, key->endpoint) && buffer_append_char(&text, '\n') &&
                  buffer_append_string(&text, key->client_id) && buffer_append_char(&text, '\n') &&
                  buffer_append_string(&text, key->scope == NULL ? "" : key->scope);
  if (complete) sha256_hex(text.data, text.length, hash);
  buffer_free(&text);
  return complete;
}

/* Sets client->token_source for the resolved options at index. parent: the index of the client it derives from, or 0. */
static void set_token_source(lua_State *L, struct client *client, int index, int parent) {
  static _Atomic uint64_t last_owner;
  struct token_key key = {.kind = TOKEN_CLIENT_CREDENTIALS};
  int top = lua_gettop(L);
  bool complete = true;
  char hash[SHA256_HEX_SIZE];
  struct buffer endpoint = BUFFER_EMPTY;
  if (is_function_option(L, index, "access_token")) {
    if (parent != 0) {
      /* A function has a source of its own, which only what derives from its client shares. */
      lua_getiuservalue(L, parent, 1);
      bool same = same_function(L, index, lua_gettop(L));
      lua_pop(L, 1);
      if (same) {
        client->token_source = token_source_retain(client_check(L, parent)->token_source);
        return;
      }
    }
    key.kind = TOKEN_FUNCTION;
    key.owner = ++last_owner;
  } else if (string_option(L, index, "access_token") != NULL) {
    key.kind = TOKEN_FIXED;
    key.access_token = string_option(L, index, "access_token");
  } else {
    key.client_id = string_option(L, index, "client_id");
    key.client_secret = client->client_secret = string_option(L, index, "client_secret");
    key.scope = string_option(L, index, "scope");
    push_store(L, index);
    key.store = lua_tostring(L, -1);
    complete = url_token_endpoint(&client->base, &endpoint);
    key.endpoint = endpoint.data;
    if (complete && key.store != NULL) complete = hash_key(&key, hash);
  }
  if (complete) client->token_source = token_source_get(&key, client->transport);
  buffer_free(&endpoint); /* nothing has raised since it was filled */
  if (client->token_source == NULL) luaL_error(L, "not enough memory");
  if (key.store != NULL) lua_pushstring(L, hash);
  else lua_pushnil(L);
  lua_setfield(L, index, "token_key");
  lua_settop(L, top);
}

/* Frees what the client holds beyond Lua's memory. */
static void release(struct owned *owned) {
  struct client *client = (struct client *)owned;
  token_source_release(client->token_source);
  transport_settings_release(client->transport);
  client->token_source = NULL;
  client->transport = NULL;
}

/* Pushes a client for the resolved options at index. parent: see set_token_source. [-0, +1] */
static void new_client(lua_State *L, int index, int parent) {
  struct client *client = lua_newuserdatauv(L, sizeof *client, 1);
  *client = (struct client){
      .base = {.deployment = deployment_option(L, index),
               .base_url = string_option(L, index, "base_url"),
               .identity_url = string_option(L, index, "identity_url"),
               .organization = string_option(L, index, "organization"),
               .tenant = string_option(L, index, "tenant")},
      .timeout_ms = (int64_t)ceil(number_option(L, index, "timeout") * 1000),
      .max_attempts = (int)number_option(L, index, "max_attempts"),
      .max_response_bytes = (size_t)number_option(L, index, "max_response_bytes"),
      .drop_nulls = strcmp(string_option(L, index, "nulls"), "drop") == 0,
      .wants_events = is_function_option(L, index, "on_event"),
  };
  client->waits_in_lua = client->wants_events || is_function_option(L, index, "access_token") ||
                         is_table_option(L, index, "token_store") || in_nginx(L);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  if (client->waits_in_lua) open_functions(L);
  luaL_getmetatable(L, client->waits_in_lua ? LUA_METATABLE : METATABLE);
  lua_setmetatable(L, -2); /* from here on the collector frees what follows, or the end of the state */
  owned_add(L, &client->owned, release);
  client->transport = new_transport(L, index);
  set_token_source(L, client, index, parent);
}

int client_connect(lua_State *L) {
  lua_settop(L, 1);
  options_resolve(L, 1);
  new_client(L, 2, 0);
  return 1;
}

/* client:with(options) */
static int client_with(lua_State *L) {
  client_check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  options_override(L, 3, 2);
  new_client(L, 4, 1);
  return 1;
}

/* client:folder(folder) */
static int client_folder(lua_State *L) {
  client_check(L, 1);
  lua_settop(L, 2);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 2);
  if (lua_isnil(L, 2)) return luaL_error(L, "a folder must be given: a number, a GUID or a path (false: none)");
  lua_setfield(L, 3, "folder");
  lua_replace(L, 2);
  return client_with(L);
}

static int client_collect(lua_State *L) {
  struct client *client = check_any(L, 1);
  owned_remove(&client->owned);
  release(&client->owned);
  return 0;
}

/* "uipath.client (organization/tenant at base_url, folder path)", never a secret. */
static int client_tostring(lua_State *L) {
  const struct client *client = check_any(L, 1);
  const char *organization = client->base.organization == NULL ? "" : client->base.organization;
  const char *tenant = client->base.tenant == NULL ? "" : client->base.tenant;
  lua_getiuservalue(L, 1, 1);
  lua_getfield(L, -1, "folder");
  if (lua_toboolean(L, -1)) lua_pushfstring(L, ", folder %s", lua_tostring(L, -1));
  else lua_pushliteral(L, "");
  lua_pushfstring(L, "uipath.client (%s%s%s at %s%s)", organization, organization[0] != '\0' && tenant[0] != '\0' ? "/" : "", tenant,
                  client->base.base_url, lua_tostring(L, -1));
  return 1;
}

/* ======================================================================== */
/* Calls                                                                    */
/* ======================================================================== */

static int client_get(lua_State *L) {
  lua_settop(L, 3);
  return call_run(L, "GET", 2, 3, 0);
}

static int client_delete(lua_State *L) {
  lua_settop(L, 3);
  return call_run(L, "DELETE", 2, 3, 0);
}

static int client_post(lua_State *L) {
  lua_settop(L, 4);
  return call_run(L, "POST", 2, 4, 3);
}

static int client_put(lua_State *L) {
  lua_settop(L, 4);
  return call_run(L, "PUT", 2, 4, 3);
}

static int client_patch(lua_State *L) {
  lua_settop(L, 4);
  return call_run(L, "PATCH", 2, 4, 3);
}

/* The method at index, in upper case; raises unless it is letters. The buffer holds it. */
static const char *check_method(lua_State *L, int index, char *upper, size_t size) {
  size_t length;
  if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "the method must be a string, got %s", luaL_typename(L, index));
  const char *method = lua_tolstring(L, index, &length);
  if (length == 0 || length >= size) luaL_error(L, "the method must be an HTTP method such as \"GET\"");
  for (size_t i = 0; i <= length; i++) {
    if (i < length && !text_is_letter(method[i])) luaL_error(L, "the method must be an HTTP method such as \"GET\"");
    upper[i] = (char)(method[i] >= 'a' && method[i] <= 'z' ? method[i] - 'a' + 'A' : method[i]);
  }
  if (strcmp(upper, "CONNECT") == 0 || strcmp(upper, "TRACE") == 0) luaL_error(L, "the method %s is not for calls", upper);
  return upper;
}

static int client_request(lua_State *L) {
  char method[24];
  client_check(L, 1);
  lua_settop(L, 4);
  return call_run(L, check_method(L, 2, method, sizeof method), 3, 4, 0);
}

static int client_start(lua_State *L) {
  char method[24];
  client_check(L, 1);
  lua_settop(L, 4);
  return call_start(L, check_method(L, 2, method, sizeof method), 3, 4);
}

/* ======================================================================== */
/* Tokens                                                                   */
/* ======================================================================== */

void client_push_expiry(lua_State *L, const struct token *token) {
  if (token->expires_at == INT64_MAX) lua_pushnil(L);
  else compat_push_int64(L, (int64_t)time(NULL) + (token->expires_at - clock_boot_ms()) / 1000);
}

/* Pushes what client:token() gives, expires_at, scopes, source; or nil and an error where the Lua
   half is out of reach. Gives how many values. [-0, +(1|2)] */
static int push_token(lua_State *L, const struct token *token, enum token_kind kind) {
  static const char *const sources[] = {
      [TOKEN_CLIENT_CREDENTIALS] = "client_credentials", [TOKEN_FIXED] = "option", [TOKEN_FUNCTION] = "function"};
  if (!lazy_load(L, "uipath.token")) {
    error_new_unreachable(L);
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  lua_getfield(L, -1, "describe");
  lua_remove(L, -2);
  lua_pushstring(L, token->value);
  lua_pushstring(L, token->scope);
  client_push_expiry(L, token);
  lua_pushstring(L, sources[kind]);
  lua_call(L, 4, 1);
  return 1;
}

/* The results of client:token(): the table, or nil and err. */
static int token_results(lua_State *L, int index) {
  enum token_kind kind;
  const struct token *token = call_token(L, index, &kind);
  if (token == NULL) return 2;
  return push_token(L, token, kind);
}

/* The results of client:access_token() likewise. */
static int access_token_results(lua_State *L, int index) {
  enum token_kind kind;
  const struct token *token = call_token(L, index, &kind);
  if (token == NULL) return 2;
  lua_pushstring(L, token->value);
  return 1;
}

static int client_token(lua_State *L) {
  return call_run_token(L, token_results);
}

static int client_access_token(lua_State *L) {
  return call_run_token(L, access_token_results);
}

/* method(name) → the same in upper case */
static int internal_method(lua_State *L) {
  char method[24];
  lua_pushstring(L, check_method(L, 1, method, sizeof method));
  return 1;
}

/* now() → seconds of a clock that never jumps */
static int internal_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)clock_monotonic_ms() / 1000);
  return 1;
}

/* prefetch(client) → the option */
static int internal_prefetch(lua_State *L) {
  client_check(L, 1);
  lua_getiuservalue(L, 1, 1);
  lua_getfield(L, -1, "prefetch");
  return 1;
}

/* option(client, name) → the folder or the timeout that its calls have unless they say otherwise; nil: none. No secret can be had so. */
static int internal_option(lua_State *L) {
  static const char *const names[] = {"folder", "timeout", NULL};
  client_check(L, 1);
  int name = luaL_checkoption(L, 2, NULL, names);
  lua_getiuservalue(L, 1, 1);
  lua_getfield(L, -1, names[name]);
  if (!lua_toboolean(L, -1)) lua_pushnil(L);
  return 1;
}

/* timeout(client) → the option */
static int internal_timeout(lua_State *L) {
  client_check(L, 1);
  lua_getiuservalue(L, 1, 1);
  lua_getfield(L, -1, "timeout");
  return 1;
}

/* tenant_origin(options) → what names the tenant, as a phrase; nil: nothing does */
static int internal_tenant_origin(lua_State *L) {
  lua_settop(L, 1);
  options_push_tenant_origin(L, 1);
  return 1;
}

/* start_token(client) and start_access_token(client) → a call whose results are those of client:token() and client:access_token() */
static int internal_start_token(lua_State *L) {
  return call_start_token(L, token_results);
}

static int internal_start_access_token(lua_State *L) {
  return call_start_token(L, access_token_results);
}

void client_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"prefetch", internal_prefetch},       {"timeout", internal_timeout},
      {"method", internal_method},
      {"now", internal_now},                 {"start_token", internal_start_token},
      {"start_access_token", internal_start_access_token},
      {"tenant_origin", internal_tenant_origin}, {"option", internal_option}, {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  push_groups(L);
  lua_setfield(L, -2, "groups");
}

void client_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", client_collect}, {"__tostring", client_tostring}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"get", client_get},         {"delete", client_delete}, {"post", client_post},     {"put", client_put},
      {"patch", client_patch},     {"request", client_request}, {"start", client_start}, {"with", client_with},
      {"folder", client_folder},   {"token", client_token},   {"access_token", client_access_token},
      {NULL, NULL},
  };
  static const struct lazy_name later[] = {
      {"each", "uipath.paging", true},       {"pages", "uipath.paging", true},
      {"collect", "uipath.paging", false},   {"count", "uipath.paging", false},
      {"download", "uipath.files", false},   {"upload", "uipath.files", false},
      {"can", "uipath.catalogue", false},    {"describe", "uipath.catalogue", false},
      {NULL, NULL, false},
  };
  luaL_newmetatable(L, METATABLE);
  lua_pushliteral(L, METATABLE);
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, METATABLE);
  lua_setfield(L, -2, "__metatable"); /* what getmetatable gives: nothing that could be called at the wrong time */
  luaL_setfuncs(L, metamethods, 0);
  lua_createtable(L, 0, 24);
  luaL_setfuncs(L, methods, 0);
  lazy_add(L, later);
  set_index(L);
  lua_pop(L, 1);
}
