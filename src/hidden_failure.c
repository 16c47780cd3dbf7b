#include "hidden_failure.h"

#include <stdlib.h>
#include <string.h>

/* The names that .NET has for the statuses from 400 on: what an upload says of each of its files. */
static const char *const refusing_statuses[] = {"BadRequest",
                                                "Unauthorized",
                                                "PaymentRequired",
                                                "Forbidden",
                                                "NotFound",
                                                "MethodNotAllowed",
                                                "NotAcceptable",
                                                "ProxyAuthenticationRequired",
                                                "RequestTimeout",
                                                "Conflict",
                                                "Gone",
                                                "LengthRequired",
                                                "PreconditionFailed",
                                                "RequestEntityTooLarge",
                                                "RequestUriTooLong",
                                                "UnsupportedMediaType",
                                                "RequestedRangeNotSatisfiable",
                                                "ExpectationFailed",
                                                "MisdirectedRequest",
                                                "UnprocessableEntity",
                                                "UnprocessableContent",
                                                "Locked",
                                                "FailedDependency",
                                                "UpgradeRequired",
                                                "PreconditionRequired",
                                                "TooManyRequests",
                                                "RequestHeaderFieldsTooLarge",
                                                "UnavailableForLegalReasons",
                                                "InternalServerError",
                                                "NotImplemented",
                                                "BadGateway",
                                                "ServiceUnavailable",
                                                "GatewayTimeout",
                                                "HttpVersionNotSupported",
                                                "VariantAlsoNegotiates",
                                                "InsufficientStorage",
                                                "LoopDetected",
                                                "NotExtended",
                                                "NetworkAuthenticationRequired",
                                                NULL};

/* Pushes table[name] of the table at index if that is neither nil nor null. [-0, +(0|1)] */
static bool push_member(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  if (!lua_isnil(L, -1) && !lua_islightuserdata(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* Whether one of the members is false. [-0, +0] */
static bool has_false(lua_State *L, int index, const char *const *names) {
  for (; *names != NULL; names++) {
    lua_getfield(L, index, *names);
    bool is_false = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (is_false) return true;
  }
  return false;
}

/* Whether the status on top, a number, a numeral or a name, is one from 400 on. [-0, +0] */
static bool is_refusing_status(lua_State *L) {
  if (lua_isnumber(L, -1)) return lua_tonumber(L, -1) >= 400 && lua_tonumber(L, -1) < 600;
  if (lua_type(L, -1) != LUA_TSTRING) return false;
  const char *status = lua_tostring(L, -1);
  for (const char *const *name = refusing_statuses; *name != NULL; name++)
    if (strcmp(*name, status) == 0) return true;
  return false;
}

/* Whether the row on top says how an upload's file fared, and that is badly. Rows of other kinds have a Status, too, of their own
   words.
   [-0, +0] */
static bool is_refused_file(lua_State *L) {
  lua_getfield(L, -1, "Key");
  lua_getfield(L, -2, "Status");
  bool is_refused = !lua_isnil(L, -2) && is_refusing_status(L);
  lua_pop(L, 2);
  return is_refused;
}

/* Whether the row on top has an error code, which null, 0 and "" are not, and a member for words about it; is_bare: that member may
   be missing, because the answer is nothing but such rows, or because it may have been null and dropped. [-0, +0] */
static bool has_error_code(lua_State *L, bool is_bare) {
  static const char *const names[][2] = {{"errorCode", "errorMessage"}, {"ErrorCode", "ErrorMessage"}};
  int row = lua_gettop(L);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    lua_getfield(L, row, names[i][1]);
    bool has_words = !lua_isnil(L, -1) || is_bare;
    lua_settop(L, row);
    if (!has_words || !push_member(L, row, names[i][0])) continue;
    const char *code = lua_tostring(L, -1); /* of a number its digits */
    bool is_code = code != NULL && code[strspn(code, "0. ")] != '\0';
    lua_settop(L, row);
    if (is_code) return true;
  }
  return false;
}

/* Pushes those rows of the list on top that tell of a failure, in a list, if there are any. [-0, +(0|1)] */
static bool push_failed_rows(lua_State *L, bool is_bare) {
  int rows = lua_gettop(L), count = 0;
  for (int i = 1;; i++) {
    lua_rawgeti(L, rows, i);
    if (lua_isnil(L, -1)) break;
    if (lua_istable(L, -1) && (is_refused_file(L) || has_error_code(L, is_bare))) {
      if (count == 0) {
        lua_newtable(L);
        lua_insert(L, -2);
      }
      lua_rawseti(L, rows + 1, ++count);
      continue;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count > 0;
}

/* Pushes the member of the table at index that is a list of what was refused; else an empty one. [-0, +1] */
static void push_refused(lua_State *L, int index, const char *const *names) {
  for (; *names != NULL; names++) {
    if (push_member(L, index, *names) && lua_istable(L, -1)) return;
    lua_settop(L, index);
  }
  lua_newtable(L);
}

bool hidden_failure_push(lua_State *L, bool has_dropped_nulls) {
  static const char *const successes[] = {"Success", "success", "isSuccess", "IsSuccess", "succeeded", "Succeeded", NULL};
  static const char *const refused[] = {"FailedItems", "failedItems", "errors", "Errors", NULL};
  int answer = lua_gettop(L);
  if (!lua_istable(L, answer)) return false;
  luaL_checkstack(L, 8, NULL);
  if (push_failed_rows(L, true)) return true;
  if (has_false(L, answer, successes)) {
    push_refused(L, answer, refused);
    return true;
  }
  static const char *const inner[] = {"result", "value"};
  for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
    if (!push_member(L, answer, inner[i])) continue;
    bool has_failed = false;
    if (lua_istable(L, -1)) {
      has_failed = push_failed_rows(L, has_dropped_nulls);
      if (!has_failed && has_false(L, answer + 1, successes)) {
        push_refused(L, answer + 1, refused);
        has_failed = true;
      }
    }
    if (has_failed) {
      lua_remove(L, answer + 1);
      return true;
    }
    lua_settop(L, answer);
  }
  return false;
}
