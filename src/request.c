#include "request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "engine/text.h"
#include "folder.h"
#include "json/json.h"
#include "literal.h"
#include "odata.h"
#include "options.h"
#include "suggest.h"
#include "version.h"

#define USER_AGENT "lua-uipath/" UIPATH_VERSION

/* OData's query options, in the order in which they are sent; each has a `$` before it where the service is OData. */
static const char *const odata_options[] = {"filter", "select", "expand", "orderby", "top", "skip", "count", "search", "apply", NULL};

static const char *const call_options[] = {"filter", "select",  "expand",  "orderby",      "top",        "skip",  "count", "search", "apply",
                                           "query",  "body",    "folder",  "headers",      "timeout",    "max_attempts",
                                           "idempotent", "level", NULL};

/* And those of a walk through all pages (uipath.paging). */
static const char *const paging_options[] = {"filter", "select", "expand", "orderby", "top", "skip", "count", "search", "apply",
                                             "query", "folder", "headers", "timeout", "max_attempts", "idempotent", "level",
                                             "page_size", "limit", "prefetch", "by", "on_progress", NULL};

/* And those of client:download and client:upload (uipath.files). */
static const char *const file_options[] = {"filter", "select", "expand", "orderby", "top", "skip", "count", "search", "apply",
                                           "query", "folder", "headers", "timeout", "max_attempts", "idempotent", "level",
                                           "total_timeout", "on_progress", "method", NULL};

/* The name of the option by which uipath.paging gives a page its weight: a light userdata, so that it is none of the user's. */
static const char weight_key = 0;

/* Headers that are the engine's business. */
static const char *const reserved_headers[] = {"Authorization",     "Host", "Content-Length", "Transfer-Encoding", "Connection",
                                               "Accept-Encoding", "Expect", NULL};

static int no_memory(lua_State *L) {
  return luaL_error(L, "not enough memory");
}

static bool is_one_of(const char *name, const char *const *names) {
  for (; *names != NULL; names++)
    if (strcmp(name, *names) == 0) return true;
  return false;
}

/* ======================================================================== */
/* The query                                                                */
/* ======================================================================== */

/* Pushes the text of a string, number, boolean or marked value (uipath.odata.date …) on top in its place: numbers as filters have them, 123.0
   has no place in a URL. what names it in the message. [-1, +1] */
static void push_text(lua_State *L, const char *what) {
  int type = lua_type(L, -1);
  if (type == LUA_TSTRING) return;
  if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && !literal_is_marked(L, -1))
    luaL_error(L, "%s must be a string, number or boolean, got %s", what, luaL_typename(L, -1));
  const char *mistake = literal_push(L, -1);
  if (mistake != NULL) luaL_error(L, "%s %s", what, mistake);
  lua_remove(L, -2);
}

/* Appends the parameter whose value is the string on top; raises if the URL has it already. [-1, +0] */
static void append_parameter(lua_State *L, struct call_request *request, bool *has_query, const char *name, size_t name_length) {
  size_t length;
  const char *value = lua_tolstring(L, -1, &length);
  if (*has_query && url_has_parameter(request->url.data, request->url.length, name, name_length))
    luaL_error(L, "the parameter '%s' is given twice", name);
  if (!url_append_parameter(&request->url, has_query, name, name_length, value, length)) no_memory(L);
  lua_pop(L, 1);
}

/* Pushes the text of one OData option whose value is on top, in its place. [-1, +1] */
static void push_odata_text(lua_State *L, const char *name) {
  int value = lua_gettop(L);
  if (strcmp(name, "filter") == 0) {
    odata_push_filter(L, value);
  } else if (strcmp(name, "select") == 0 || strcmp(name, "expand") == 0 || strcmp(name, "orderby") == 0) {
    odata_push_list(L, value, name);
  } else if (strcmp(name, "top") == 0 || strcmp(name, "skip") == 0) {
    lua_Number number = lua_tonumber(L, value);
    if (lua_type(L, value) != LUA_TNUMBER || !(number >= 0 && number <= 9007199254740992.0) || (lua_Number)(int64_t)number != number)
      luaL_error(L, "%s must be a whole number from 0", name);
    lua_pushvalue(L, value);
    push_text(L, name);
  } else if (strcmp(name, "count") == 0) {
    if (!lua_isboolean(L, value)) luaL_error(L, "count must be true or false, got %s", luaL_typename(L, value));
    lua_pushstring(L, lua_toboolean(L, value) ? "true" : "false");
  } else {
    if (lua_type(L, value) != LUA_TSTRING) luaL_error(L, "%s must be a string, got %s", name, luaL_typename(L, value));
    lua_pushvalue(L, value);
  }
  lua_remove(L, value);
}

/* The OData options of the table at options. */
static void append_odata_options(lua_State *L, struct call_request *request, int options, bool odata, bool *has_query) {
  for (const char *const *name = odata_options; *name != NULL; name++) {
    lua_getfield(L, options, *name);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      continue;
    }
    char dollar_name[16] = "$";
    strncat(dollar_name, *name, sizeof dollar_name - 2);
    /* Newer OData servers take the name without the `$` for the same. */
    if (odata && *has_query && url_has_parameter(request->url.data, request->url.length, *name, strlen(*name)))
      luaL_error(L, "the parameter '%s' is given twice", *name);
    push_odata_text(L, *name);
    const char *sent = odata ? dollar_name : *name;
    append_parameter(L, request, has_query, sent, strlen(sent));
  }
}

/* The parameter of that name whose value, a plain one or a list, is on top; what names it in messages. [-1, +0] */
static void append_any(lua_State *L, struct call_request *request, bool *has_query, const char *name, size_t name_length, const char *what) {
  if (lua_istable(L, -1)) {
    odata_push_list(L, lua_gettop(L), what);
    lua_remove(L, -2);
  } else {
    push_text(L, what);
  }
  append_parameter(L, request, has_query, name, name_length);
}

/* The options whose names begin with `$`: sent as they are. */
static void append_dollar_options(lua_State *L, struct call_request *request, int options, bool odata, bool *has_query) {
  for (lua_pushnil(L); lua_next(L, options) != 0;) {
    size_t length = 0;
    /* check_names has seen to it that all are strings, but for the weight's. */
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : "";
    if (name[0] != '$') {
      lua_pop(L, 1);
      continue;
    }
    if (odata && *has_query && url_has_parameter(request->url.data, request->url.length, name + 1, length - 1))
      luaL_error(L, "the parameter '%s' is given twice", name + 1);
    append_any(L, request, has_query, name, length, name);
  }
}

/* options.query: any other parameters. */
static void append_query(lua_State *L, struct call_request *request, int options, bool *has_query) {
  lua_getfield(L, options, "query");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1)) luaL_error(L, "query must be a table of names and values, got %s", luaL_typename(L, -1));
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    size_t length;
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "query must have strings as names, got %s", luaL_typename(L, -2));
    const char *name = lua_tolstring(L, -2, &length);
    if (length == 0) luaL_error(L, "query must not have an empty name");
    const char *what = lua_pushfstring(L, "query.%s", name);
    lua_insert(L, -2);
    append_any(L, request, has_query, name, length, what);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* ======================================================================== */
/* Headers                                                                  */
/* ======================================================================== */

static bool is_token(const char *name, size_t length) {
  if (length == 0) return false;
  for (size_t i = 0; i < length; i++)
    if (!text_is_letter(name[i]) && !text_is_digit(name[i]) && (name[i] == '\0' || strchr("!#$%&'*+-.^_`|~", name[i]) == NULL)) return false;
  return true;
}

static bool has_header(const struct call_request *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++)
    if (strcasecmp(request->headers[i].name, name) == 0) return true;
  return false;
}

static void add_header(lua_State *L, struct call_request *request, const char *name, const char *value) {
  if (!call_add_header(request, name, value)) no_memory(L);
}

/* options.headers: checked, and copied. */
static void add_own_headers(lua_State *L, struct call_request *request, int options) {
  lua_getfield(L, options, "headers");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1)) luaL_error(L, "headers must be a table of names and values, got %s", luaL_typename(L, -1));
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t name_length, value_length;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_length) : NULL;
    if (name == NULL || !is_token(name, name_length)) {
      luaL_error(L, "headers has a name that is no HTTP header name");
      return;
    }
    for (const char *const *reserved = reserved_headers; *reserved != NULL; reserved++)
      if (strcasecmp(name, *reserved) == 0) luaL_error(L, "the header %s is set by the client itself", *reserved);
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "the header %s must be a string, got %s", name, luaL_typename(L, -1));
    lua_pushvalue(L, -1);
    push_text(L, name);
    const char *value = lua_tolstring(L, -1, &value_length);
    if (text_has_control(value, value_length)) luaL_error(L, "the header %s must not contain control characters", name);
    if (has_header(request, name)) luaL_error(L, "the header %s is given twice", name);
    add_header(L, request, name, value);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Whether the caller's own headers name a folder. */
static bool has_folder_header(const struct call_request *request) {
  return has_header(request, "X-UIPATH-OrganizationUnitId") || has_header(request, "X-UIPATH-FolderKey") ||
         has_header(request, "X-UIPATH-FolderPath") || has_header(request, "X-UIPATH-FolderPath-Encoded");
}

/* The folder of the call, else of the client. */
static void add_folder(lua_State *L, struct call_request *request, int options) {
  bool has_own = has_folder_header(request);
  if (options != 0) lua_getfield(L, options, "folder");
  else lua_pushnil(L);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "folder");
    lua_remove(L, -2);
  } else if (!lua_isboolean(L, -1) || lua_toboolean(L, -1)) {
    folder_check(L, lua_gettop(L), "folder");
    if (has_own) luaL_error(L, "the folder is given twice: as an option and in the headers");
  }
  if (lua_toboolean(L, -1) && !has_own && !folder_add_header(L, lua_gettop(L), request)) no_memory(L);
  lua_pop(L, 1);
}

/* ======================================================================== */
/* The whole                                                                */
/* ======================================================================== */

/* timeout, max_attempts, idempotent, and the weight. */
static void read_limits(lua_State *L, struct call_request *request, int options) {
  lua_getfield(L, options, "timeout");
  if (!lua_isnil(L, -1)) request->timeout_ms = (int64_t)ceil(options_check_number(L, "timeout") * 1000);
  lua_getfield(L, options, "max_attempts");
  if (!lua_isnil(L, -1)) request->max_attempts = (int)options_check_number(L, "max_attempts");
  lua_getfield(L, options, "idempotent");
  if (!lua_isnil(L, -1) && !lua_isboolean(L, -1)) luaL_error(L, "idempotent must be true or false, got %s", luaL_typename(L, -1));
  request->idempotent = lua_toboolean(L, -1) != 0;
  lua_rawgetp(L, options, &weight_key);
  request->weight = (int)lua_tointeger(L, -1);
  lua_pop(L, 4);
}

static enum url_level read_level(lua_State *L, int options) {
  lua_getfield(L, options, "level");
  enum url_level level = URL_LEVEL_BY_SERVICE;
  if (!lua_isnil(L, -1)) {
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(name, "organization") == 0) level = URL_LEVEL_ORGANIZATION;
    else if (strcmp(name, "tenant") == 0) level = URL_LEVEL_TENANT;
    else luaL_error(L, "level must be \"organization\" or \"tenant\"");
  }
  lua_pop(L, 1);
  return level;
}

/* Raises for a name that is none of these. */
static void check_names(lua_State *L, int options, const char *const *names) {
  for (lua_pushnil(L); lua_next(L, options) != 0; lua_pop(L, 1)) {
    if (lua_touserdata(L, -2) == &weight_key) continue;
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "options must have names, got a %s as key", luaL_typename(L, -2));
    size_t length;
    const char *name = lua_tolstring(L, -2, &length);
    bool is_known = is_one_of(name, names) || (name[0] == '$' && length > 1 && !text_has_control(name, length));
    /* A key may go on behind a NUL. */
    if (!is_known || strlen(name) != length) suggest_unknown(L, "option", name, names);
  }
}

static void set_common(lua_State *L, const struct client *client, struct call_request *request, const char *method) {
  request->method = strdup(method);
  if (request->method == NULL) no_memory(L);
  request->transport = transport_settings_retain(client->transport);
  request->token_source = token_source_retain(client->token_source);
  request->timeout_ms = client->timeout_ms;
  request->max_attempts = client->max_attempts;
  request->max_response_bytes = client->max_response_bytes;
  request->wants_events = client->wants_events;
}

void request_build_token_only(lua_State *L, struct call_request *request) {
  set_common(L, client_check(L, 1), request, "GET");
  request->token_only = true;
  if (!buffer_append_string(&request->url, client_check(L, 1)->base.base_url)) no_memory(L);
}

/* The body: the argument, else the option of that name. */
static void add_body(lua_State *L, struct call_request *request, int options, int body) {
  if (body != 0 && !lua_isnoneornil(L, body)) {
    lua_pushvalue(L, body);
    if (options != 0) {
      lua_getfield(L, options, "body");
      if (!lua_isnil(L, -1)) luaL_error(L, "the body is given twice: as an argument and in the options");
      lua_pop(L, 1);
    }
  } else if (options != 0) {
    lua_getfield(L, options, "body");
  } else {
    lua_pushnil(L);
  }
  if (!lua_isnil(L, -1)) {
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
      luaL_error(L, "a %s has no body", request->method);
    const char *content_type = body_read(L, lua_gettop(L), &request->body);
    if (content_type == NULL && has_header(request, "Content-Type")) luaL_error(L, "the Content-Type of multipart is set by the client itself");
    if (content_type != NULL && !has_header(request, "Content-Type")) add_header(L, request, "Content-Type", content_type);
  }
  lua_pop(L, 1);
}

/* X-UIPATH-TenantName, by which an on-premises Orchestrator knows the tenant. */
static void add_tenant(lua_State *L, const struct client *client, struct call_request *request) {
  if (client->base.deployment != URL_STANDALONE || client->base.tenant == NULL || has_header(request, "X-UIPATH-TenantName")) return;
  struct buffer encoded = BUFFER_EMPTY;
  const char *tenant = client->base.tenant;
  bool ascii = true;
  for (const char *c = tenant; *c != '\0'; c++) ascii = ascii && (unsigned char)*c < 128;
  bool added = ascii ? call_add_header(request, "X-UIPATH-TenantName", tenant)
                     : url_escape(&encoded, tenant, strlen(tenant)) && call_add_header(request, "X-UIPATH-TenantName", encoded.data);
  buffer_free(&encoded);
  if (!added) no_memory(L);
}

const char *request_build(lua_State *L, struct call_request *request, const char *method, int path, int options, int body) {
  const struct client *client = client_check(L, 1);
  size_t path_length;
  if (lua_type(L, path) != LUA_TSTRING) luaL_error(L, "the path must be a string, got %s", luaL_typename(L, path));
  const char *path_text = lua_tolstring(L, path, &path_length);
  if (lua_isnoneornil(L, options)) options = 0;
  else if (!lua_istable(L, options)) luaL_error(L, "the options must be a table, got %s", luaL_typename(L, options));

  set_common(L, client, request, method);
  enum url_level level = URL_LEVEL_BY_SERVICE;
  if (options != 0) {
    check_names(L, options, call_options);
    level = read_level(L, options);
    read_limits(L, request, options);
    add_own_headers(L, request, options);
  }
  struct url_facts facts;
  switch (url_build(&client->base, path_text, path_length, level, &request->url, &facts)) {
    case URL_OK:
      break;
    case URL_INVALID:
      luaL_error(L, "%s", facts.error);
      break;
    case URL_FOREIGN:
    case URL_NO_TENANT:
      return facts.error;
    case URL_NO_MEMORY:
      no_memory(L);
  }
  if (options != 0) {
    bool has_query = facts.has_query;
    append_odata_options(L, request, options, facts.odata, &has_query);
    append_dollar_options(L, request, options, facts.odata, &has_query);
    append_query(L, request, options, &has_query);
  }
  add_body(L, request, options, body);
  add_folder(L, request, options);
  add_tenant(L, client, request);
  if (!has_header(request, "Accept")) add_header(L, request, "Accept", "application/json");
  if (!has_header(request, "User-Agent")) add_header(L, request, "User-Agent", USER_AGENT);
  return NULL;
}

void request_build_foreign(lua_State *L, struct call_request *request, const char *method, int url, int options, int body, bool authorized) {
  const struct client *client = client_check(L, 1);
  size_t length;
  const char *text = lua_tolstring(L, url, &length);
  set_common(L, client, request, method);
  if (!authorized) {
    token_source_release(request->token_source);
    request->token_source = NULL;
  }
  check_names(L, options, call_options);
  read_limits(L, request, options);
  add_own_headers(L, request, options);
  if (!buffer_append(&request->url, text, length)) no_memory(L);
  add_body(L, request, 0, body);
  if (authorized) {
    add_folder(L, request, options);
    add_tenant(L, client, request);
  }
  if (!has_header(request, "Accept")) add_header(L, request, "Accept", "*/*");
  if (!has_header(request, "User-Agent")) add_header(L, request, "User-Agent", USER_AGENT);
}

/* ======================================================================== */
/* For uipath.paging and uipath.files                                       */
/* ======================================================================== */

/* Pushes what is in the buffer and frees it. [-0, +1] */
static void push_buffer(lua_State *L, struct buffer *buffer) {
  /* Without memory this leaks the buffer: a URL. */
  lua_pushlstring(L, buffer->data == NULL ? "" : buffer->data, buffer->length);
  buffer_free(buffer);
}

/* address(client, path [, options]) → URL without the options, whether it is of OData; nil, message of a usage error. Raises for names that
   are no options of a walk, and the caller's other mistakes. */
static int internal_address(lua_State *L) {
  const struct client *client = client_check(L, 1);
  lua_settop(L, 3);
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "the path must be a string, got %s", luaL_typename(L, 2));
  enum url_level level = URL_LEVEL_BY_SERVICE;
  if (!lua_isnil(L, 3)) {
    if (!lua_istable(L, 3)) return luaL_error(L, "the options must be a table, got %s", luaL_typename(L, 3));
    check_names(L, 3, paging_options);
    level = read_level(L, 3);
  }
  size_t length;
  const char *path = lua_tolstring(L, 2, &length);
  struct buffer url = BUFFER_EMPTY;
  struct url_facts facts = {0};
  enum url_status status = url_build(&client->base, path, length, level, &url, &facts);
  if (status != URL_OK) buffer_free(&url);
  if (status == URL_INVALID) return luaL_error(L, "%s", facts.error);
  if (status == URL_NO_MEMORY) return no_memory(L);
  if (status != URL_OK) {
    lua_pushnil(L);
    lua_pushstring(L, facts.error);
    return 2;
  }
  push_buffer(L, &url);
  lua_pushboolean(L, facts.odata);
  return 2;
}

/* check_file_options(options): raises for names that are no options of client:download and client:upload */
static int internal_check_file_options(lua_State *L) {
  if (!lua_istable(L, 1)) return luaL_error(L, "the options must be a table, got %s", luaL_typename(L, 1));
  check_names(L, 1, file_options);
  return 0;
}

/* has_parameter(url, name) → whether its query has the parameter */
static int internal_has_parameter(lua_State *L) {
  size_t length, name_length;
  const char *url = luaL_checklstring(L, 1, &length), *name = luaL_checklstring(L, 2, &name_length);
  lua_pushboolean(L, url_has_parameter(url, length, name, name_length));
  return 1;
}

/* resolve(base, reference) → the absolute URL of a link that came with a reply from base, at base's own scheme and port where it names
   its host; nil if it is none */
static int internal_resolve(lua_State *L) {
  size_t length;
  const char *base = luaL_checkstring(L, 1), *reference = luaL_checklstring(L, 2, &length);
  struct buffer url = BUFFER_EMPTY;
  if (!url_resolve_link(base, reference, length, &url)) {
    buffer_free(&url);
    return 0;
  }
  push_buffer(L, &url);
  return 1;
}

void request_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"address", internal_address}, {"check_file_options", internal_check_file_options}, {"has_parameter", internal_has_parameter}, {"resolve", internal_resolve}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, (void *)&weight_key);
  lua_setfield(L, -2, "weight");
}
