#include "options.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "engine/blemish.h"
#include "engine/proxy.h"
#include "engine/text.h"
#include "engine/url.h"
#include "environment.h"
#include "folder.h"
#include "profile.h"
#include "suggest.h"

#define LONGEST_SECONDS 1e6 /* eleven days: far below what milliseconds in an int64_t hold */
#define MOST_BYTES 9007199254740992 /* 2^53: whole numbers are exact up to here in every Lua */

/* ======================================================================== */
/* What an option may be. Each check takes the value on top of the stack and leaves it there in its
   resolved form [-1, +1], or raises; `what` names the option or variable for the message.          */
/* ======================================================================== */

/* Raises unless the value on top is of the type. [-0, +0] */
static void check_type(lua_State *L, const char *what, int type) {
  if (lua_type(L, -1) != type)
    luaL_error(L, "%s must be a %s, got %s", what, lua_typename(L, type), luaL_typename(L, -1));
}

/* Any text that can go into a URL, a header or a file name. */
static void check_text(lua_State *L, const char *what) {
  check_type(L, what, LUA_TSTRING);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (length == 0) luaL_error(L, "%s must not be empty", what);
  if (text_has_control(text, length))
    luaL_error(L, "%s must not contain control characters, such as a line end", what);
}

/* Raises if the text on top has a mistake that nobody sees, but for the one to be forgiven. [-0, +0] */
static void refuse_blemish(lua_State *L, const char *what, enum blemish forgiven) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  enum blemish blemish = blemish_find(text, length);
  if (blemish != BLEMISH_NONE && blemish != forgiven && blemish != BLEMISH_ENCODING)
    luaL_error(L, "%s must not %s", what, blemish_words(blemish));
}

static void check_client_id(lua_State *L, const char *what) {
  check_text(L, what);
  refuse_blemish(L, what, BLEMISH_NONE);
}

/* client_secret. It may begin and end with a quote by chance: only when it is refused that is told (token_reply.c). */
static void check_client_secret(lua_State *L, const char *what) {
  check_text(L, what);
  refuse_blemish(L, what, BLEMISH_QUOTES);
}

/* organization, tenant: one segment of a path. */
static void check_segment(lua_State *L, const char *what) {
  check_text(L, what);
  refuse_blemish(L, what, BLEMISH_NONE);
  const char *segment = lua_tostring(L, -1);
  if (strchr(segment, '/') != NULL || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
    luaL_error(L, "%s must be a name without '/'", what);
}

/* base_url, identity_url. Slashes at the end are taken off. */
static void check_url(lua_State *L, const char *what) {
  check_text(L, what);
  refuse_blemish(L, what, BLEMISH_NONE);
  bool plain_http, loopback;
  const char *url = lua_tostring(L, -1);
  const char *mistake = url_check_base(url, &plain_http, &loopback);
  if (mistake != NULL) luaL_error(L, "%s: %s", what, mistake);
  size_t length = strlen(url);
  while (length > 0 && url[length - 1] == '/') length--;
  lua_pushlstring(L, url, length);
  lua_remove(L, -2);
}

/* access_token: what RFC 6750 lets follow "Bearer ", or a function that gives it. */
static void check_access_token(lua_State *L, const char *what) {
  if (lua_isfunction(L, -1)) return;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s must be a string or a function, got %s", what, luaL_typename(L, -1));
  check_text(L, what);
  refuse_blemish(L, what, BLEMISH_NONE);
  for (const char *c = lua_tostring(L, -1); *c != '\0'; c++) {
    if (*c <= ' ' || *c > '~' || strchr("\"'`", *c) != NULL)
      luaL_error(L, "%s must be the token alone: ASCII without spaces or quotes (and without 'Bearer')",
                 what);
  }
}

/* Replaces the list on top by its strings, joined by spaces. [-1, +1] */
static void join_words(lua_State *L, const char *what) {
  int list = lua_gettop(L);
  size_t count = lua_rawlen(L, list), keys = 0;
  for (lua_pushnil(L); lua_next(L, list) != 0; lua_pop(L, 1)) keys++;
  if (keys != count) luaL_error(L, "%s must be a list without holes", what);
  luaL_Buffer words;
  luaL_buffinit(L, &words);
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, list, (int)i);
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s must hold strings only", what);
    luaL_addvalue(&words);
    luaL_addchar(&words, ' ');
  }
  luaL_pushresult(&words);
  lua_remove(L, list);
}

/* Raises if the text has what no scope has (RFC 6749, section 3.3, and commas and the like, which some take for separators). */
static void check_scope_characters(lua_State *L, const char *what, const char *text, size_t length) {
  enum blemish blemish = blemish_find(text, length);
  /* Blanks around it are nothing but separators. */
  if (blemish != BLEMISH_NONE && blemish != BLEMISH_ENDS) luaL_error(L, "%s must not %s", what, blemish_words(blemish));
  for (const char *c = text; c < text + length; c++) {
    if (strchr("\"'`\\", *c) != NULL) luaL_error(L, "%s must not contain quotes", what);
    if (strchr(",;|+%", *c) != NULL) luaL_error(L, "%s must be words separated by spaces, and not by '%c'", what, *c);
    if (*c < ' ' || *c > '~') luaL_error(L, "%s must be words separated by spaces, of ASCII characters", what);
  }
}

/* scope: a string of words, or a list. Empty: nil. */
static void check_scope(lua_State *L, const char *what) {
  if (lua_istable(L, -1)) {
    join_words(L, what);
  } else if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_error(L, "%s must be a string or a list of strings, got %s", what, luaL_typename(L, -1));
  }
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (text_has_control(text, length))
    luaL_error(L, "%s must be words separated by spaces, without control characters", what);
  check_scope_characters(L, what, text, length);

  luaL_Buffer words;
  luaL_buffinit(L, &words);
  bool empty = true;
  while (*(text += strspn(text, " ")) != '\0') {
    size_t word = strcspn(text, " ");
    if (!empty) luaL_addchar(&words, ' ');
    luaL_addlstring(&words, text, word);
    text += word;
    empty = false;
  }
  luaL_pushresult(&words);
  if (empty) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

/* proxy: what libcurl takes for one; its own messages would name the password. */
static void check_proxy(lua_State *L, const char *what) {
  struct proxy_parts parts;
  check_text(L, what);
  const char *mistake = proxy_split(lua_tostring(L, -1), &parts);
  if (mistake != NULL) luaL_error(L, "%s must be of the form http://user:password@host:port, but %s", what, mistake);
}

static void check_deployment(lua_State *L, const char *what) {
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(name, "cloud") != 0 && strcmp(name, "suite") != 0 && strcmp(name, "standalone") != 0)
    luaL_error(L, "%s must be 'cloud', 'suite' or 'standalone'", what);
}

static void check_nulls(lua_State *L, const char *what) {
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(name, "keep") != 0 && strcmp(name, "drop") != 0)
    luaL_error(L, "%s must be 'keep' or 'drop'", what);
}

static void check_folder(lua_State *L, const char *what) { folder_check(L, -1, what); }

static void check_seconds(lua_State *L, const char *what) {
  check_type(L, what, LUA_TNUMBER);
  lua_Number seconds = lua_tonumber(L, -1);
  if (!(seconds > 0 && seconds <= LONGEST_SECONDS))
    luaL_error(L, "%s must be a positive number of seconds, at most %d", what,
               (int)LONGEST_SECONDS);
}

/* A whole number from 1 to most, which is at most MOST_BYTES. */
static void check_whole(lua_State *L, const char *what, lua_Number most) {
  check_type(L, what, LUA_TNUMBER);
  lua_Number number = lua_tonumber(L, -1);
  if (!(number >= 1 && number <= most) || number != floor(number))
    luaL_error(L, "%s must be a whole number, at least 1", what);
}

static void check_count(lua_State *L, const char *what) { check_whole(L, what, INT_MAX); }

static void check_bytes(lua_State *L, const char *what) { check_whole(L, what, MOST_BYTES); }

static void check_boolean(lua_State *L, const char *what) { check_type(L, what, LUA_TBOOLEAN); }

static void check_function(lua_State *L, const char *what) { check_type(L, what, LUA_TFUNCTION); }

static void check_token_store(lua_State *L, const char *what) {
  static const char *const methods[] = {"load", "save", "drop"};
  check_type(L, what, LUA_TTABLE);
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    lua_getfield(L, -1, methods[i]);
    if (!lua_isfunction(L, -1)) luaL_error(L, "%s must have a function '%s'", what, methods[i]);
    lua_pop(L, 1);
  }
  /* A store of our own says what it lacks. */
  lua_getfield(L, -1, "check");
  if (lua_isfunction(L, -1)) {
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    if (lua_isstring(L, -1)) luaL_error(L, "%s: %s", what, lua_tostring(L, -1));
  }
  lua_pop(L, 1);
}

/* ======================================================================== */
/* The options                                                              */
/* ======================================================================== */

/* The options of a group are taken from one source, so that a stray variable never joins what a script
   says: a secret sent to another host, or a bundle of 140 certificates parsed beside its ca_dir. */
enum group { ALONE, CREDENTIALS, ADDRESS, CERTIFICATES };

struct option {
  const char *name;
  enum group group;
  void (*check)(lua_State *L, const char *what);
  const char *text;   /* the default: this, */
  lua_Integer number; /* else this, else none */
};

/* profile stands first, being a source of the others, and insecure before the URLs, because whether
   these may be plain http depends on it. */
static const struct option options[] = {
    {"profile", ALONE, check_text, NULL, 0},
    {"insecure", ALONE, check_boolean, NULL, 0},
    {"access_token", CREDENTIALS, check_access_token, NULL, 0},
    {"client_id", CREDENTIALS, check_client_id, NULL, 0},
    {"client_secret", CREDENTIALS, check_client_secret, NULL, 0},
    {"scope", CREDENTIALS, check_scope, NULL, 0},
    {"base_url", ADDRESS, check_url, "https://cloud.uipath.com", 0},
    {"identity_url", ADDRESS, check_url, NULL, 0},
    {"deployment", ADDRESS, check_deployment, "cloud", 0},
    {"organization", ADDRESS, check_segment, NULL, 0},
    {"tenant", ADDRESS, check_segment, NULL, 0},
    {"folder", ALONE, check_folder, NULL, 0},
    {"timeout", ALONE, check_seconds, NULL, 100},
    {"connect_timeout", ALONE, check_seconds, NULL, 10},
    {"max_attempts", ALONE, check_count, NULL, 4},
    {"max_response_bytes", ALONE, check_bytes, NULL, 256 << 20},
    {"prefetch", ALONE, check_count, NULL, 4},
    {"token_store", ALONE, check_token_store, NULL, 0},
    {"ca_file", CERTIFICATES, check_text, NULL, 0},
    {"ca_dir", CERTIFICATES, check_text, NULL, 0},
    {"proxy", ALONE, check_proxy, NULL, 0},
    {"nulls", ALONE, check_nulls, "keep", 0},
    {"on_event", ALONE, check_function, NULL, 0},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])
#define OPTIONS_END (options + OPTION_COUNT)
#define PROFILE (&options[0])

/* Raises "unknown option". */
static void raise_unknown(lua_State *L, const char *name) {
  const char *names[OPTION_COUNT + 1];
  for (size_t i = 0; i < OPTION_COUNT; i++) names[i] = options[i].name;
  names[OPTION_COUNT] = NULL;
  suggest_unknown(L, "option", name, names);
}

/* Raises if the table at index has a key that names no option. [-0, +0] */
static void check_names(lua_State *L, int index) {
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "options are given by name, got a %s as a key", luaL_typename(L, -1));
    size_t length;
    const char *name = lua_tolstring(L, -1, &length);
    const struct option *option = options;
    while (option < OPTIONS_END && strcmp(option->name, name) != 0) option++;
    /* A key may go on behind a NUL. */
    if (option == OPTIONS_END || strlen(name) != length) raise_unknown(L, name);
  }
}

/* Whether the table at index has a value for the name; false counts as none. [-0, +0] */
static bool has(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  bool found = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return found;
}

/* table[name] = nil. [-0, +0] */
static void drop(lua_State *L, int index, const char *name) {
  lua_pushnil(L);
  lua_setfield(L, index, name);
}

/* Raises if the table at index, as the user gave it, has both kinds of credentials. [-0, +0] */
static void refuse_two_credentials(lua_State *L, int index) {
  if (!has(L, index, "access_token")) return;
  const char *other = has(L, index, "client_id") ? "client_id" : "client_secret";
  if (has(L, index, other))
    luaL_error(L, "option 'access_token' and option '%s' exclude each other", other);
}

/* Raises if the resolved table at index has a URL of that name that would carry tokens in the
   clear; what names its source. [-0, +0] */
static void refuse_plain_http(lua_State *L, int index, const char *name, const char *what) {
  bool plain_http = false, loopback = false;
  lua_getfield(L, index, name);
  if (!lua_isnil(L, -1)) url_check_base(lua_tostring(L, -1), &plain_http, &loopback);
  lua_pop(L, 1);
  if (plain_http && !loopback && !has(L, index, "insecure"))
    luaL_error(L, "%s must begin with https:// (http:// is for loopback, or with insecure = true)",
               what);
}

/* Puts the value on top, checked, into the resolved table at index. The string below it says where
   it comes from. [-2, +0] */
static void put(lua_State *L, int index, const struct option *option) {
  const char *what = lua_tostring(L, -2);
  option->check(L, what);
  lua_setfield(L, index, option->name);
  if (option->check == check_url) refuse_plain_http(L, index, option->name, what);
  lua_pop(L, 1);
}

/* Puts the option's default into the resolved table at index. [-0, +0] */
static void put_default(lua_State *L, int index, const struct option *option) {
  if (option->text != NULL)
    lua_pushstring(L, option->text);
  else if (option->number != 0)
    lua_pushinteger(L, option->number);
  else if (option->check == check_boolean)
    lua_pushboolean(L, false);
  else
    lua_pushnil(L);
  lua_setfield(L, index, option->name);
}

/* Sets no_proxy in the resolved table at index: loopback, and what except names, or NULL. [-0, +0] */
static void put_no_proxy(lua_State *L, int index, const char *except) {
  /* libcurl takes "*" for every host only where it stands alone. */
  if (except != NULL && strcmp(except, "*") == 0)
    lua_pushstring(L, except);
  else if (except != NULL)
    lua_pushfstring(L, "localhost,127.0.0.0/8,127.0.0.1,::1,%s", except);
  else
    lua_pushstring(L, "localhost,127.0.0.0/8,127.0.0.1,::1");
  lua_setfield(L, index, "no_proxy");
}

/* ======================================================================== */
/* Where an option comes from                                               */
/* ======================================================================== */

enum source { FROM_OPTIONS, FROM_ENVIRONMENT, FROM_PROFILE, SOURCE_COUNT };

/* Stack indices of tables: what uipath.connect got, the one that is being filled, what the profile says
   (not a table where there is none) and where it says so. */
struct resolution {
  int given;
  int result;
  int profile;
  int origins;
};

/* Whether the options say `false`: no value, from whatever source. [-0, +0] */
static bool is_unset(lua_State *L, const struct resolution *resolution,
                     const struct option *option) {
  lua_getfield(L, resolution->given, option->name);
  bool unset = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return unset;
}

/* Pushes table[name] unless it is nil or false. [-0, +(0|1)] */
static bool push_field(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  if (lua_toboolean(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* Pushes a phrase for messages that says where the option's value comes from, and the value.
   false, with nothing pushed: this source has none, or the options unset it. [-0, +(0|2)] */
static bool push_from(lua_State *L, const struct resolution *resolution,
                      const struct option *option, enum source source) {
  if (is_unset(L, resolution, option)) return false;
  const char *phrase = NULL;
  const char *name = option->name;
  switch (source) {
    case FROM_OPTIONS:
      if (push_field(L, resolution->given, name)) phrase = "option '%s'";
      break;
    case FROM_ENVIRONMENT:
      name = environment_push(L, option->name);
      if (name != NULL) phrase = "variable %s";
      break;
    case FROM_PROFILE:
      if (!lua_istable(L, resolution->profile) || !push_field(L, resolution->profile, name)) return false;
      lua_getfield(L, resolution->origins, name);
      lua_insert(L, -2);
      return true;
    case SOURCE_COUNT:
      break;
  }
  if (phrase == NULL) return false;
  lua_pushfstring(L, phrase, name);
  lua_insert(L, -2);
  return true;
}

/* Pushes where an option of the result comes from, for a message; resolution may be NULL. [-0, +1] */
static const char *push_origin(lua_State *L, const struct resolution *resolution, const char *name) {
  const struct option *option = options;
  while (strcmp(option->name, name) != 0) option++;
  for (enum source source = FROM_OPTIONS; resolution != NULL && source < SOURCE_COUNT; source++) {
    if (!push_from(L, resolution, option, source)) continue;
    lua_pop(L, 1);
    return lua_tostring(L, -1);
  }
  return lua_pushfstring(L, "option '%s'", name);
}

/* Pushes what to add about a profile that could not be read, "" if there is nothing; resolution may be NULL. [-0, +1] */
static const char *push_profile_problem(lua_State *L, const struct resolution *resolution) {
  if (resolution == NULL || lua_type(L, resolution->origins) != LUA_TSTRING) return lua_pushfstring(L, "%s", "");
  return lua_pushfstring(L, " (not read: %s)", lua_tostring(L, resolution->origins));
}

/* The string field of the table at index, which keeps it alive, or NULL. [-0, +0] */
static const char *string_field(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  const char *string = lua_tostring(L, -1);
  lua_pop(L, 1);
  return string;
}

/* Raises if URLs of the resolved table at index go on where the address is to begin. resolution: where they come from, or NULL. [-0, +0] */
static void refuse_long_urls(lua_State *L, int index, const struct resolution *resolution) {
  const char *option;
  const char *mistake = url_check_address(&(struct url_base){.base_url = string_field(L, index, "base_url"),
                                                             .identity_url = string_field(L, index, "identity_url"),
                                                             .organization = string_field(L, index, "organization")},
                                          &option);
  if (mistake != NULL) luaL_error(L, "%s: %s", push_origin(L, resolution, option), mistake);
}

/* Pushes what to add where the organization is missing and base_url seems to hold it, else "". [-0, +1] */
static const char *push_misplaced(lua_State *L, int index) {
  struct url_parts parts;
  bool has_path = url_split(string_field(L, index, "base_url"), &parts) && parts.organization_length > 0;
  lua_pushstring(L, has_path ? "; base_url does not hold it: it ends before organization and tenant" : "");
  return lua_tostring(L, -1);
}

/* Raises if the resolved table at index lacks what every client needs. resolution: where it comes from, or NULL. [-0, +0] */
static void require_complete(lua_State *L, int index, const struct resolution *resolution) {
  if (!has(L, index, "access_token")) {
    bool id = has(L, index, "client_id"), secret = has(L, index, "client_secret");
    if (!id && !secret)
      luaL_error(L,
                 "missing credentials: options 'client_id' and 'client_secret', or 'access_token' "
                 "(variables UIPATH_CLIENT_ID and UIPATH_CLIENT_SECRET, or UIPATH_PAT; or a profile); "
                 "all of them are taken from one source%s",
                 push_profile_problem(L, resolution));
    if (!id || !secret)
      luaL_error(L, "missing option '%s' (variable %s): %s is given, and all credentials are taken from one source",
                 id ? "client_secret" : "client_id", id ? "UIPATH_CLIENT_SECRET" : "UIPATH_CLIENT_ID",
                 push_origin(L, resolution, id ? "client_id" : "client_secret"));
  }
  lua_getfield(L, index, "deployment");
  bool standalone = strcmp(lua_tostring(L, -1), "standalone") == 0;
  lua_pop(L, 1);
  if (!standalone && !has(L, index, "organization"))
    luaL_error(L, "missing option 'organization' (variable UIPATH_ORGANIZATION)%s%s", push_misplaced(L, index),
               push_profile_problem(L, resolution));
  refuse_long_urls(L, index, resolution);
}

/* Takes the option from the first source at or after `source` that has it. [-0, +0] */
static void take(lua_State *L, const struct resolution *resolution, const struct option *option,
                 enum source source) {
  for (; source < SOURCE_COUNT; source++) {
    if (push_from(L, resolution, option, source)) {
      put(L, resolution->result, option);
      return;
    }
  }
}

/* The first source that names any option of the group; SOURCE_COUNT if none does. [-0, +0] */
static enum source source_of_group(lua_State *L, const struct resolution *resolution,
                                   enum group group) {
  enum source source = FROM_OPTIONS;
  for (; source < SOURCE_COUNT; source++) {
    for (const struct option *option = options; option < OPTIONS_END; option++) {
      if (option->group == group && push_from(L, resolution, option, source)) {
        lua_pop(L, 2);
        return source;
      }
    }
  }
  return source;
}

/* Takes all options of a group from one source. [-0, +0] */
static void take_group(lua_State *L, const struct resolution *resolution, enum group group) {
  enum source source = source_of_group(L, resolution, group);
  if (source == SOURCE_COUNT) return;
  for (const struct option *option = options; option < OPTIONS_END; option++) {
    if (option->group != group) continue;
    if (option->check == check_segment) {
      /* Organization and tenant only say where in an address: another source may add them. */
      take(L, resolution, option, source);
    } else if (push_from(L, resolution, option, source)) {
      put(L, resolution->result, option);
    }
  }
}

/* Pushes the options of the profile that applies and where they stand; or nil, and nil or why it could not be read. [-0, +2] */
static void push_profile(lua_State *L, const struct resolution *resolution) {
  if (push_field(L, resolution->result, "profile")) {
    profile_push(L, lua_tostring(L, -1));
    lua_remove(L, -3);
  } else if (is_unset(L, resolution, PROFILE)) {
    lua_pushnil(L);
    lua_pushnil(L);
  } else {
    profile_push(L, NULL);
  }
}

/* Sets no_proxy in the result. NO_PROXY goes with the environment's proxy, not with one that the
   script has chosen. [-0, +0] */
static void take_no_proxy(lua_State *L, const struct resolution *resolution) {
  lua_getfield(L, resolution->given, "proxy");
  bool chosen = !lua_isnil(L, -1);
  lua_pop(L, 1);
  const char *variable = chosen ? NULL : environment_push(L, "no_proxy");
  if (variable == NULL) {
    put_no_proxy(L, resolution->result, NULL);
    return;
  }
  lua_pushfstring(L, "variable %s", variable);
  lua_insert(L, -2);
  check_text(L, lua_tostring(L, -2));
  put_no_proxy(L, resolution->result, lua_tostring(L, -1));
  lua_pop(L, 2);
}

/* Prepares the sources for what uipath.connect got at index; raises on names that are no options and on
   a profile that cannot be had. Pushes the four tables of the resolution. [-0, +4] */
static struct resolution open_sources(lua_State *L, int index) {
  int top = lua_gettop(L);
  if (lua_isnoneornil(L, index))
    lua_newtable(L);
  else
    lua_pushvalue(L, index);
  if (!lua_istable(L, -1)) luaL_error(L, "options must be a table, got %s", luaL_typename(L, -1));
  struct resolution resolution = {.given = top + 1, .result = top + 2, .profile = top + 3, .origins = top + 4};
  check_names(L, resolution.given);
  refuse_two_credentials(L, resolution.given);

  lua_createtable(L, 0, OPTION_COUNT + 1);
  for (const struct option *option = options; option < OPTIONS_END; option++)
    put_default(L, resolution.result, option);
  lua_settop(L, resolution.origins);
  take(L, &resolution, PROFILE, FROM_OPTIONS);
  push_profile(L, &resolution);
  lua_replace(L, resolution.origins);
  lua_replace(L, resolution.profile);
  return resolution;
}

void options_push_tenant_origin(lua_State *L, int index) {
  struct resolution resolution = open_sources(L, index);
  /* Of a source's options the address says it best. A scope says what is to be allowed, and not where. */
  static const enum group groups[] = {ADDRESS, CREDENTIALS};
  for (enum source source = FROM_OPTIONS; source < SOURCE_COUNT; source++) {
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
      for (const struct option *option = options; option < OPTIONS_END; option++) {
        bool names_tenant = option->group == groups[i] && option->check != check_scope;
        if (!names_tenant || !push_from(L, &resolution, option, source)) continue;
        lua_pop(L, 1);
        lua_replace(L, resolution.given);
        lua_settop(L, resolution.given);
        return;
      }
    }
  }
  /* A profile that is there and cannot be read may name one. */
  if (lua_type(L, resolution.origins) != LUA_TSTRING) lua_pushnil(L);
  lua_replace(L, resolution.given);
  lua_settop(L, resolution.given);
}

void options_resolve(lua_State *L, int index) {
  struct resolution resolution = open_sources(L, index);
  for (const struct option *option = options; option < OPTIONS_END; option++) {
    if (option->group == ALONE && option != PROFILE) take(L, &resolution, option, FROM_OPTIONS);
  }
  take_group(L, &resolution, CREDENTIALS);
  take_group(L, &resolution, ADDRESS);
  take_group(L, &resolution, CERTIFICATES);
  /* Environment and profile may hold both kinds, for several tools: a token is ready for use. */
  if (has(L, resolution.result, "access_token")) {
    drop(L, resolution.result, "client_id");
    drop(L, resolution.result, "client_secret");
  }
  require_complete(L, resolution.result, &resolution);
  take_no_proxy(L, &resolution);
  lua_settop(L, resolution.result);
  lua_remove(L, resolution.given);
}

void options_override(lua_State *L, int base, int changes) {
  base = lua_absindex(L, base);
  changes = lua_absindex(L, changes);
  if (!lua_istable(L, changes))
    luaL_error(L, "options must be a table, got %s", luaL_typename(L, changes));
  check_names(L, changes);
  refuse_two_credentials(L, changes);
  if (has(L, changes, "profile"))
    luaL_error(L, "option 'profile' is for uipath.connect: a profile is read there, once");

  lua_createtable(L, 0, OPTION_COUNT + 1);
  int result = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, base) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, result);
  }
  if (has(L, changes, "access_token")) {
    drop(L, result, "client_id");
    drop(L, result, "client_secret");
  } else if (has(L, changes, "client_id") || has(L, changes, "client_secret")) {
    drop(L, result, "access_token");
  }
  if (has(L, changes, "ca_file") || has(L, changes, "ca_dir")) {
    drop(L, result, "ca_file");
    drop(L, result, "ca_dir");
  }

  for (const struct option *option = options; option < OPTIONS_END; option++) {
    lua_getfield(L, changes, option->name);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
    } else if (lua_toboolean(L, -1)) {
      lua_pushfstring(L, "option '%s'", option->name);
      lua_insert(L, -2);
      put(L, result, option);
    } else {
      lua_pop(L, 1);
      put_default(L, result, option);
    }
  }
  lua_getfield(L, changes, "proxy");
  if (!lua_isnil(L, -1)) put_no_proxy(L, result, NULL);
  lua_pop(L, 1);
  /* insecure = false may have taken back what a URL of the old client relied on. */
  refuse_plain_http(L, result, "base_url", "option 'base_url'");
  refuse_plain_http(L, result, "identity_url", "option 'identity_url'");
  require_complete(L, result, NULL);
}

lua_Number options_check_number(lua_State *L, const char *name) {
  const struct option *option = options;
  while (strcmp(option->name, name) != 0) option++;
  const char *what = lua_pushfstring(L, "option '%s'", name);
  lua_insert(L, -2);
  option->check(L, what);
  lua_remove(L, -2);
  return lua_tonumber(L, -1);
}
