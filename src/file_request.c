#include "file_request.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "client.h"
#include "engine/download.h"
#include "engine/pipe_signal.h"
#include "engine/text.h"
#include "request.h"

#define METATABLE "uipath.download"
#define LONGEST_SECONDS 1e9
#define PAUSE_MS 1 /* between two looks at a pipe that is full */

/* ======================================================================== */
/* Downloads as Lua has them: a userdata with one reference                 */
/* ======================================================================== */

struct handle {
  struct download *download; /* NULL once it has been collected */
};

static struct download *check_download(lua_State *L, int index) {
  return ((struct handle *)luaL_checkudata(L, index, METATABLE))->download;
}

static int collect_download(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, METATABLE);
  download_release(handle->download);
  handle->download = NULL;
  return 0;
}

/* download(path) → a download into that file, of which nothing is opened yet. Raises for what is no path. */
static int internal_download(lua_State *L) {
  size_t length;
  if (lua_type(L, 1) != LUA_TSTRING) return luaL_error(L, "the file must be a path, got %s", luaL_typename(L, 1));
  const char *path = lua_tolstring(L, 1, &length);
  if (length == 0) return luaL_error(L, "the path of the file must not be empty");
  if (strlen(path) != length) return luaL_error(L, "the path of the file must not contain NUL");
  struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
  handle->download = NULL;
  luaL_newmetatable(L, METATABLE);
  /* Each time: the first may have run out of memory here. */
  lua_pushcfunction(L, collect_download);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  handle->download = download_new(path);
  if (handle->download == NULL) return luaL_error(L, "not enough memory");
  return 1;
}

/* discard_download(download): no call will go on with it; what has come is taken away */
static int internal_discard_download(lua_State *L) {
  file_sink_discard(&check_download(L, 1)->sink);
  return 0;
}

/* keep_download(download, text) → true, or nil and why not: the text is all of the file */
static int internal_keep_download(lua_State *L) {
  struct file_sink *sink = &check_download(L, 1)->sink;
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  struct pipe_signal held;
  pipe_signal_hold(&held);
  enum file_sink_result result = file_sink_open(sink) ? FILE_SINK_WAITS : FILE_SINK_FAILED;
  while (result == FILE_SINK_WAITS) {
    result = file_sink_write(sink, text, length);
    if (result == FILE_SINK_WAITS) poll(NULL, 0, PAUSE_MS);
  }
  bool is_kept = result == FILE_SINK_WRITTEN && file_sink_commit(sink);
  pipe_signal_release(&held);
  if (is_kept) {
    lua_pushboolean(L, 1);
    return 1;
  }
  file_sink_discard(sink);
  lua_pushnil(L);
  lua_pushstring(L, sink->failure);
  return 2;
}

/* ======================================================================== */
/* Uploads and addresses                                                    */
/* ======================================================================== */

/* check_upload(body) → the Content-Type of a uipath.file that has one, or nil; and what is wrong with the file, or nil. Raises
   for what can be no upload. */
static int internal_check_upload(lua_State *L) {
  struct stat status;
  lua_settop(L, 1);
  lua_pushnil(L);
  if (lua_type(L, 1) == LUA_TSTRING) return 1;
  const char *path = body_file_path(L, 1);
  if (path == NULL) return luaL_error(L, "the body must be a string or a uipath.file, got %s", luaL_typename(L, 1));
  lua_getfield(L, 1, "content_type");
  const char *why = NULL;
  if (stat(path, &status) != 0 || (S_ISREG(status.st_mode) && access(path, R_OK) != 0))
    why = strerror(errno);
  else if (!S_ISREG(status.st_mode))
    why = S_ISDIR(status.st_mode) ? strerror(EISDIR) : "it is not a regular file";
  if (why == NULL) return 1;
  lua_pushfstring(L, "cannot read %s: %s", path, why);
  return 2;
}

/* Pushes the URL with what no URL may hold percent-encoded; all else, which may be signed, stays as it is. [-0, +1] */
static void push_clean(lua_State *L, const char *url, size_t length) {
  static const char digits[] = "0123456789ABCDEF";
  luaL_Buffer clean;
  luaL_buffinit(L, &clean);
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)url[i];
    if (byte > ' ' && byte < 127) {
      luaL_addchar(&clean, url[i]);
      continue;
    }
    luaL_addchar(&clean, '%');
    luaL_addchar(&clean, digits[byte >> 4]);
    luaL_addchar(&clean, digits[byte & 15]);
  }
  luaL_pushresult(&clean);
}

/* check_address(client, url) → the URL as it can be sent, whether it is on the client's own host; nil and what is wrong with it
 */
static int internal_check_address(lua_State *L) {
  const struct client *client = client_check(L, 1);
  size_t length;
  const char *url = luaL_checklstring(L, 2, &length);
  const char *wrong = text_has_control(url, length) ? "it must not contain control characters" : NULL;
  bool plain_http = false, loopback = false;
  if (wrong == NULL && memchr(url, '#', length) != NULL) wrong = "it must not contain '#'";
  if (wrong == NULL) {
    push_clean(L, url, strcspn(url, "?"));
    wrong = url_check_base(lua_tostring(L, -1), &plain_http, &loopback);
  }
  if (wrong == NULL && plain_http && !loopback && !client->transport->insecure)
    wrong = "it must begin with https:// (http:// is for loopback, or with insecure = true)";
  if (wrong != NULL) {
    lua_pushnil(L);
    lua_pushstring(L, wrong);
    return 2;
  }
  push_clean(L, url, length);
  lua_pushboolean(L, url_same_origin(lua_tostring(L, -1), client->base.base_url));
  return 2;
}

/* Whether a header is one that the engine sets itself. */
static bool is_own_header(const char *name) {
  static const char *const own[] = {"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Accept-Encoding", NULL};
  for (const char *const *each = own; *each != NULL; each++)
    if (strcasecmp(*each, name) == 0) return true;
  return false;
}

/* is_header(name, value) → whether they can be sent as a header; nil: we set that one ourselves */
static int internal_is_header(lua_State *L) {
  size_t name_length, value_length;
  const char *name = luaL_checklstring(L, 1, &name_length), *value = luaL_checklstring(L, 2, &value_length);
  bool is_name = name_length > 0 &&
                 strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == name_length;
  if (is_name && is_own_header(name)) return 0;
  lua_pushboolean(L, is_name && !text_has_control(value, value_length));
  return 1;
}

/* ======================================================================== */
/* Requests                                                                 */
/* ======================================================================== */

/* The boolean field of the table at index. */
static bool flag(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  bool is_set = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return is_set;
}

/* The seconds at index in milliseconds. */
static int64_t milliseconds(lua_State *L, int index) {
  double seconds = (double)lua_tonumber(L, index);
  return (int64_t)ceil((seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS) * 1000);
}

/* Adds the access object's headers, a list at index. */
static void add_headers(lua_State *L, struct call_request *request, int index) {
  int count = (int)lua_rawlen(L, index);
  for (int i = 1; i < count; i += 2) {
    lua_rawgeti(L, index, i);
    lua_rawgeti(L, index, i + 1);
    if (!call_add_header(request, lua_tostring(L, -2), lua_tostring(L, -1))) luaL_error(L, "not enough memory");
    lua_pop(L, 2);
  }
}

const char *file_request_build(lua_State *L, struct call_request *request, const char *method, int first) {
  int options = first + 1, body = first + 2, transfer = first + 3, top = lua_gettop(L);
  const char *usage = NULL;
  luaL_checktype(L, transfer, LUA_TTABLE);
  lua_getfield(L, transfer, "headers");
  request->is_presigned = !lua_isnil(L, -1);
  if (request->is_presigned) {
    add_headers(L, request, lua_gettop(L));
    request_build_foreign(L, request, method, first, options, body, flag(L, transfer, "authorized"));
  } else {
    usage = request_build(L, request, method, first, options, body);
  }
  request->is_streamed = true;
  request->looks = flag(L, transfer, "looks");
  request->wants_progress = flag(L, transfer, "wants_progress");
  lua_getfield(L, transfer, "total_timeout");
  lua_getfield(L, transfer, "ends_at");
  if (!lua_isnil(L, -1)) {
    request->total_timeout_ms = milliseconds(L, -2);
    request->last_moment_ms = milliseconds(L, -1);
  }
  lua_getfield(L, transfer, "download");
  if (!lua_isnil(L, -1)) request->download = download_retain(check_download(L, -1));
  lua_settop(L, top);
  return usage;
}

void file_request_add_internals(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"download", internal_download},
      {"discard_download", internal_discard_download},
      {"keep_download", internal_keep_download},
      {"check_upload", internal_check_upload},
      {"check_address", internal_check_address},
      {"is_header", internal_is_header},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
