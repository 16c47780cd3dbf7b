/* What a Lua user writes in an afternoon: libcurl's easy interface, one handle, whole bodies as strings. A benchmark's peer.

   binding.open(ca_dir); binding.request(url, headers [, form]) → body; raises what goes wrong. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

static CURL *easy;

struct body {
  char *bytes;
  size_t length;
};

static size_t collect(char *bytes, size_t size, size_t count, void *user) {
  struct body *body = user;
  size_t length = size * count;
  body->bytes = realloc(body->bytes, body->length + length + 1);
  memcpy(body->bytes + body->length, bytes, length);
  body->length += length;
  return length;
}

static int binding_open(lua_State *L) {
  easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
  curl_easy_setopt(easy, CURLOPT_CAPATH, luaL_checkstring(L, 1));
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
  return 0;
}

static int binding_request(lua_State *L) {
  struct body body = {0};
  struct curl_slist *headers = NULL;
  luaL_checktype(L, 2, LUA_TTABLE);
  for (int i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
    headers = curl_slist_append(headers, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  curl_easy_setopt(easy, CURLOPT_URL, luaL_checkstring(L, 1));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  if (lua_isstring(L, 3)) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, lua_tostring(L, 3));
  else curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  CURLcode result = curl_easy_perform(easy);
  curl_slist_free_all(headers);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (result != CURLE_OK || status != 200) return luaL_error(L, "%s, status %d", curl_easy_strerror(result), (int)status);
  lua_pushlstring(L, body.bytes, body.length);
  free(body.bytes);
  return 1;
}

int luaopen_binding(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", binding_open}, {"request", binding_request}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
