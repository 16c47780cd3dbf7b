#include "response.h"

#include <string.h>
#include <strings.h>

#include "engine/headers.h"
#include "engine/token.h"
#include "error.h"
#include "hidden_failure.h"
#include "json/json.h"
#include "json/scan.h"
#include "lazy.h"

/* ======================================================================== */
/* Headers                                                                  */
/* ======================================================================== */

/* Pushes the name in lower case. [-0, +1] */
static void push_lower(lua_State *L, const char *name, size_t length) {
  luaL_Buffer lower;
  luaL_buffinit(L, &lower);
  for (size_t i = 0; i < length; i++) luaL_addchar(&lower, (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]));
  luaL_pushresult(&lower);
}

/* headers[name] for a name in any case: the names are kept in lower case. */
static int look_up_header(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  size_t length;
  const char *name = lua_tolstring(L, 2, &length);
  push_lower(L, name, length);
  lua_rawget(L, 1);
  return 1;
}

/* Sets one header in the table below the one on top. The values of one that comes again go into a list in that: to join them each time would
   cost the square of their number. [-0, +0] */
static void set_header(lua_State *L, const char *name, size_t name_length, const char *value, size_t value_length) {
  int lists = lua_gettop(L), headers = lists - 1;
  push_lower(L, name, name_length);
  lua_pushvalue(L, -1);
  lua_rawget(L, headers);
  bool is_first = lua_isnil(L, -1);
  if (is_first) {
    lua_pop(L, 1);
    lua_pushlstring(L, value, value_length);
    lua_rawset(L, headers);
    return;
  }
  lua_pushvalue(L, lists + 1);
  lua_rawget(L, lists);
  if (lua_isnil(L, -1)) {
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, lists + 2); /* the first one's value */
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, lists + 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lists);
  }
  lua_pushlstring(L, value, value_length);
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  lua_settop(L, lists);
}

/* Joins the values in the lists on top by ", ", each in the table of headers below. [-1, +0] */
static void join_headers(lua_State *L) {
  int lists = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, lists) != 0;) {
    int list = lua_gettop(L);
    luaL_Buffer joined;
    luaL_buffinit(L, &joined);
    for (int i = 1, count = (int)lua_rawlen(L, list); i <= count; i++) {
      if (i > 1) luaL_addlstring(&joined, ", ", 2);
      lua_rawgeti(L, list, i);
      luaL_addvalue(&joined);
    }
    luaL_pushresult(&joined);
    lua_pushvalue(L, list - 1);
    lua_insert(L, -2);
    lua_rawset(L, lists - 1);
    lua_settop(L, list - 1); /* the name stays for lua_next */
  }
  lua_pop(L, 1);
}

/* Pushes the table of headers. [-0, +1] */
static void push_headers(lua_State *L, const struct buffer *headers) {
  lua_createtable(L, 0, 12);
  lua_newtable(L); /* see set_header */
  const char *line = headers->data, *end = line == NULL ? NULL : line + headers->length;
  while (line < end) {
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    if (line_end == NULL) line_end = end;
    const char *colon = memchr(line, ':', (size_t)(line_end - line));
    if (colon != NULL && colon > line) {
      const char *value = colon + 1, *value_end = line_end;
      while (value < value_end && (*value == ' ' || *value == '\t')) value++;
      while (value_end > value && (value_end[-1] == '\r' || value_end[-1] == ' ' || value_end[-1] == '\t')) value_end--;
      set_header(L, line, (size_t)(colon - line), value, (size_t)(value_end - value));
    }
    line = line_end < end ? line_end + 1 : end;
  }
  join_headers(L);
  if (luaL_newmetatable(L, "uipath.headers")) {
    lua_pushcfunction(L, look_up_header);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
}

/* Pushes the response. [-0, +1] */
static void push_response(lua_State *L, const struct call *call) {
  const struct call_reply *reply = &call->reply;
  const struct buffer *url = reply->url.length > 0 ? &reply->url : &call->request.url;
  size_t url_length = call->request.is_presigned ? strcspn(url->data, "?") : url->length;
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, reply->status);
  lua_setfield(L, -2, "status");
  push_headers(L, &reply->headers);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, url->data, url_length);
  lua_setfield(L, -2, "url");
  lua_pushinteger(L, reply->attempts);
  lua_setfield(L, -2, "attempts");
  lua_pushnumber(L, reply->elapsed);
  lua_setfield(L, -2, "elapsed");
  const char *version = reply->http_version == 20 ? "2" : reply->http_version == 30 ? "3" : reply->http_version == 10 ? "1.0" : "1.1";
  lua_pushstring(L, version);
  lua_setfield(L, -2, "http_version");
}

/* ======================================================================== */
/* The body                                                                 */
/* ======================================================================== */

enum content { CONTENT_JSON, CONTENT_HTML, CONTENT_HTML_OR_JSON, CONTENT_OTHER };

/* Whether the media type's subtype is json or ends in +json. */
static bool is_json(const char *type, size_t length) {
  return (length >= 5 && strncasecmp(type + length - 5, "/json", 5) == 0) ||
         (length >= 5 && strncasecmp(type + length - 5, "+json", 5) == 0);
}

/* Where the body begins, behind white space and a byte order mark. */
static const char *beginning_of(const struct call_reply *reply) {
  const char *body = reply->body.data, *end = body + reply->body.length;
  body = json_skip_mark(body, end);
  return body + strspn(body, " \t\r\n");
}

/* Whether the body begins as an HTML page does. */
static bool looks_like_html(const struct call_reply *reply) {
  const char *body = beginning_of(reply);
  return strncasecmp(body, "<!doctype html", 14) == 0 || strncasecmp(body, "<html", 5) == 0;
}

/* What the body is, by its Content-Type; without one, by how it begins. Some gateways call everything HTML: what cannot be, because it does
   not begin with markup, may be JSON. */
static enum content content_of(const struct call_reply *reply) {
  size_t length = 0;
  const char *type = headers_last(&reply->headers, "Content-Type", &length);
  if (type != NULL) {
    size_t media = 0;
    while (media < length && type[media] != ';' && type[media] != ' ' && type[media] != '\r') media++;
    if (is_json(type, media)) return CONTENT_JSON;
    if ((media == 9 && strncasecmp(type, "text/html", 9) == 0) || (media == 21 && strncasecmp(type, "application/xhtml+xml", 21) == 0))
      return *beginning_of(reply) == '<' ? CONTENT_HTML : CONTENT_HTML_OR_JSON;
    return CONTENT_OTHER;
  }
  if (looks_like_html(reply)) return CONTENT_HTML;
  const char *body = beginning_of(reply);
  return body[0] == '{' || body[0] == '[' ? CONTENT_JSON : CONTENT_OTHER;
}

/* Pushes nil and an error made of the fields that are on top in a table. [-1, +2] */
static void fail(lua_State *L) {
  error_new(L);
  lua_pushnil(L);
  lua_insert(L, -2);
}

/* Pushes the table of an error with what every error about a call has. [-0, +1] */
static void push_fields(lua_State *L, const struct call_request *request, const char *where) {
  lua_createtable(L, 0, 16);
  lua_pushstring(L, request->method);
  lua_setfield(L, -2, "method");
  if (request->url.data != NULL) {
    lua_pushlstring(L, request->url.data, request->is_presigned ? strcspn(request->url.data, "?") : request->url.length);
    lua_setfield(L, -2, "url");
  }
  if (where[0] != '\0') {
    lua_pushstring(L, where);
    lua_setfield(L, -2, "where");
  }
}

/* table[name] = string, unless that is NULL. [-0, +0] */
static void set_string(lua_State *L, const char *name, const char *string) {
  if (string == NULL) return;
  lua_pushstring(L, string);
  lua_setfield(L, -2, name);
}

/* Sets _folder to the header that names the folder, if there is one, as "name: value" with the path in clear, in the table on top. [-0, +0] */
static void set_folder(lua_State *L, const struct call_request *request) {
  for (size_t i = 0; i < request->header_count; i++) {
    const struct call_header *header = &request->headers[i];
    if (strncasecmp(header->name, "X-UIPATH-Folder", 15) != 0 && strcasecmp(header->name, "X-UIPATH-OrganizationUnitId") != 0) continue;
    lua_pushfstring(L, "%s: %s", header->name, request->folder_path != NULL ? request->folder_path : header->value);
    lua_setfield(L, -2, "_folder");
  }
}

static const char hint_refused_address[] =
    "the storage, which knows no scopes, refuses the address: it has expired, or was made for other headers; ask for a new one";

static const char hint_unreachable_address[] =
    "the storage's host is the service's choice, and not base_url's: what this machine reaches it by (DNS, firewall, proxy) must let it through";

/* What to do about a failed call to an access object's address, where the reply knows nothing better; NULL: nothing to add. */
static const char *hint_for_address(const struct call *call) {
  const struct call_reply *reply = &call->reply;
  if (reply->status == 403 && reply->hint == NULL && call->request.token_source == NULL) return hint_refused_address;
  bool is_ours = reply->hint != NULL && strstr(reply->hint, "base_url") != NULL;
  return reply->error == CALL_NETWORK && is_ours && call->request.token_source == NULL ? hint_unreachable_address : NULL;
}

/* The fields of any error that the reply tells of, on top. [-0, +1] */
static void push_reply_fields(lua_State *L, const struct call *call, const struct response_context *context) {
  const struct call_reply *reply = &call->reply;
  push_fields(L, &call->request, context->where);
  if (reply->status != 0) {
    lua_pushinteger(L, reply->status);
    lua_setfield(L, -2, "status");
  }
  if (reply->headers.length > 0) {
    push_headers(L, &reply->headers);
    lua_setfield(L, -2, "headers");
  }
  lua_pushinteger(L, reply->attempts);
  lua_setfield(L, -2, "attempts");
  if (reply->retry_after_ms >= 0) {
    lua_pushnumber(L, (lua_Number)reply->retry_after_ms / 1000);
    lua_setfield(L, -2, "retry_after");
  }
  lua_pushboolean(L, reply->retryable);
  lua_setfield(L, -2, "retryable");
  if (reply->uncertain) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "uncertain");
  }
  set_string(L, "message", reply->message);
  set_string(L, "hint", reply->hint);
  set_string(L, "code", reply->code);
  if (reply->for_token) set_string(L, "token_url", token_source_endpoint(call->request.token_source));
  /* Underscored: taken out again by error_new. */
  set_string(L, "_token", reply->token == NULL ? NULL : reply->token->value);
  set_string(L, "_scope", reply->token == NULL ? NULL : reply->token->scope);
  set_string(L, "_secret", context->client_secret);
  if (call->request.is_presigned) {
    const char *query = strchr(call->request.url.data, '?');
    set_string(L, "_query", query == NULL ? NULL : query + 1);
    set_string(L, "hint", hint_for_address(call));
  }
  if (reply->status >= 400) set_folder(L, &call->request);
}

static const char *const kinds[] = {
    [CALL_AUTH] = "auth",           [CALL_RATE_LIMIT] = "rate_limit", [CALL_NETWORK] = "network", [CALL_TIMEOUT] = "timeout",
    [CALL_CANCELLED] = "cancelled", [CALL_TOO_LARGE] = "too_large",   [CALL_FILE] = "file",       [CALL_NO_MEMORY] = "too_large",
};

/* The value of the body of an error response: decoded if it is JSON, else the string; nil if empty. [-0, +1] */
static void push_error_body(lua_State *L, const struct call_reply *reply) {
  if (reply->body.length == 0) {
    lua_pushnil(L);
    return;
  }
  enum content content = content_of(reply);
  if (content == CONTENT_JSON || content == CONTENT_HTML_OR_JSON || *beginning_of(reply) == '{') {
    if (json_decode(L, reply->body.data, reply->body.length, NULL)) return;
    lua_pop(L, 1);
  }
  lua_pushlstring(L, reply->body.data, reply->body.length);
}

static void push_failure(lua_State *L, const struct call *call, const struct response_context *context) {
  const struct call_reply *reply = &call->reply;
  push_reply_fields(L, call, context);
  set_string(L, "kind", reply->error == CALL_OK ? NULL : kinds[reply->error]); /* else by status */
  push_error_body(L, reply);
  lua_setfield(L, -2, "body");
  fail(L);
}

/* A 2xx whose body is not what it should be; message is on top. [-1, +2] */
static void push_decode_failure(lua_State *L, const struct call *call, const struct response_context *context, const char *hint) {
  int message = lua_gettop(L);
  push_reply_fields(L, call, context);
  set_string(L, "kind", "decode");
  lua_pushvalue(L, message);
  lua_setfield(L, -2, "message");
  set_string(L, "hint", hint);
  lua_pushlstring(L, call->reply.body.data, call->reply.body.length);
  lua_setfield(L, -2, "body");
  fail(L);
  lua_remove(L, message);
}

/* Whether the call was to change something. What GET shows, as the outcome of a bulk operation of yesterday, is what it was to show. */
static bool changes_something(const struct call_request *request) {
  return strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0 && strcmp(request->method, "OPTIONS") != 0;
}

/* Whether the call lists folders, and all of them: a filter may leave none with good reason. */
static bool lists_folders(const struct call_request *request) {
  static const char path[] = "/odata/Folders";
  const char *url = request->url.data;
  size_t length = strcspn(url, "?"), path_length = sizeof path - 1;
  return strcmp(request->method, "GET") == 0 && length > path_length && memcmp(url + length - path_length, path, path_length) == 0 &&
         strstr(url + length, "filter=") == NULL && strstr(url + length, "skip=") == NULL && strstr(url + length, "top=0") == NULL;
}

/* Tells why there are no folders, if that is what came: a token may be good and yet see none. The value is below the response. [-0, +0] */
static void add_folders_hint(lua_State *L, const struct call *call) {
  if (!lists_folders(&call->request) || !lua_istable(L, -2)) return;
  lua_getfield(L, -2, "value");
  bool none = lua_istable(L, -1) && lua_rawlen(L, -1) == 0;
  lua_pop(L, 1);
  const struct token *token = call->reply.token;
  if (!none || token == NULL) return;
  if (!lazy_load(L, "uipath.hints")) { /* it goes without */
    lua_pop(L, 1);
    return;
  }
  lua_getfield(L, -1, "no_folders");
  lua_remove(L, -2);
  lua_pushstring(L, token->value);
  lua_pushstring(L, token->scope);
  lua_call(L, 2, 1);
  lua_setfield(L, -2, "hint");
}

static const char hint_page[] = "a sign-in or error page: check base_url, organization, tenant and the path; a PAT may have expired";

/* The same as hidden_failure_push for the value on top, which the body was decoded to. The verdict does not depend on the option
   nulls: where nulls were dropped, what looks like a failure is decoded once more with them. [-0, +(0|1)] */
static bool push_hidden_failure(lua_State *L, const struct call_reply *reply, bool drop_nulls) {
  if (!hidden_failure_push(L, drop_nulls)) return false;
  if (!drop_nulls) return true;
  lua_pop(L, 1);
  bool has_failed = json_decode(L, reply->body.data, reply->body.length, &(struct json_options){.drop_nulls = false}) &&
                    hidden_failure_push(L, false);
  if (has_failed) lua_remove(L, -2);
  else lua_pop(L, 1);
  return has_failed;
}

/* The value of a good response: pushes value and response, or nil and err. [-0, +2] */
static void push_success(lua_State *L, const struct call *call, const struct response_context *context) {
  const struct call_reply *reply = &call->reply;
  if (reply->is_in_file) {
    compat_push_int64(L, reply->file_bytes);
    push_response(L, call);
    return;
  }
  if (reply->body.length == 0 || reply->status == 204) {
    lua_pushboolean(L, 1);
    push_response(L, call);
    return;
  }
  switch (content_of(reply)) {
    case CONTENT_JSON:
      if (call->request.looks) { /* it may have to go into the file as it is */
        lua_pushlstring(L, reply->body.data, reply->body.length);
        break;
      }
      if (!json_decode(L, reply->body.data, reply->body.length, &(struct json_options){.drop_nulls = context->drop_nulls})) {
        push_decode_failure(L, call, context, looks_like_html(reply) ? hint_page : NULL);
        return;
      }
      break;
    case CONTENT_HTML_OR_JSON:
      if (call->request.looks) {
        lua_pushlstring(L, reply->body.data, reply->body.length);
        break;
      }
      if (json_decode(L, reply->body.data, reply->body.length, &(struct json_options){.drop_nulls = context->drop_nulls})) break;
      lua_pop(L, 1);
      /* fall through */
    case CONTENT_HTML:
      lua_pushstring(L, call->request.looks ? "an HTML page came instead of a file" : "an HTML page came instead of JSON");
      push_decode_failure(L, call, context, hint_page);
      return;
    case CONTENT_OTHER:
      lua_pushlstring(L, reply->body.data, reply->body.length);
      break;
  }
  int value = lua_gettop(L);
  if (changes_something(&call->request) && push_hidden_failure(L, reply, context->drop_nulls)) {
    push_reply_fields(L, call, context);
    set_string(L, "kind", "failed");
    lua_pushvalue(L, value);
    lua_setfield(L, -2, "body");
    lua_pushvalue(L, value + 1);
    lua_setfield(L, -2, "_refused");
    fail(L);
    lua_remove(L, value + 1);
    lua_remove(L, value);
    return;
  }
  push_response(L, call);
  add_folders_hint(L, call);
}

void response_push(lua_State *L, struct call *call, const struct response_context *context) {
  const struct call_reply *reply = &call->reply;
  luaL_checkstack(L, 16, "too many results");
  if (reply->error != CALL_OK || reply->status < 200 || reply->status >= 300) push_failure(L, call, context);
  else push_success(L, call, context);
}

void response_push_usage(lua_State *L, const struct call_request *request, const char *message, const char *where) {
  push_fields(L, request, where);
  set_string(L, "kind", "usage");
  set_string(L, "message", message);
  fail(L);
}
