#include "environment.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text.h"
#include "engine/url.h"

/* How a variable's text is to be understood. */
enum reading { TEXT, NUMBER, FLAG };

struct entry {
  const char *option;
  enum reading reading;
  const char *variables[2]; /* the first that is set counts */
};

/* curl reads its lower case names first. */
static const struct entry entries[] = {
    {"organization", TEXT, {"UIPATH_ORGANIZATION", NULL}},
    {"tenant", TEXT, {"UIPATH_TENANT", NULL}},
    {"client_id", TEXT, {"UIPATH_CLIENT_ID", NULL}},
    {"client_secret", TEXT, {"UIPATH_CLIENT_SECRET", NULL}},
    {"scope", TEXT, {"UIPATH_AUTH_SCOPES", NULL}},
    {"access_token", TEXT, {"UIPATH_PAT", "UIPATH_ACCESS_TOKEN"}},
    {"base_url", TEXT, {"UIPATH_URI", NULL}},
    {"identity_url", TEXT, {"UIPATH_IDENTITY_URI", NULL}},
    {"deployment", TEXT, {"UIPATH_DEPLOYMENT", NULL}},
    {"profile", TEXT, {"UIPATH_PROFILE", NULL}},
    {"folder", TEXT, {"UIPATH_FOLDER_PATH", "UIPATH_FOLDER_KEY"}},
    {"timeout", NUMBER, {"UIPATH_CALL_TIMEOUT", NULL}},
    {"max_attempts", NUMBER, {"UIPATH_MAX_ATTEMPTS", NULL}},
    {"ca_file", TEXT, {"SSL_CERT_FILE", NULL}},
    {"ca_dir", TEXT, {"SSL_CERT_DIR", NULL}},
    {"proxy", TEXT, {"https_proxy", "HTTPS_PROXY"}},
    {"no_proxy", TEXT, {"no_proxy", "NO_PROXY"}},
    {"insecure", FLAG, {"UIPATH_INSECURE", NULL}},
};

/* A variable's value; NULL if it is unset or empty. */
static const char *variable_value(const char *variable) {
  const char *value = getenv(variable);
  return value != NULL && *value != '\0' ? value : NULL;
}

/* Reads "12" or "2.5", in no locale. false: it is anything else, or has too many digits. */
static bool read_number(const char *text, double *number) {
  double digits = 0, scale = 1;
  int count = 0;
  bool fraction = false;
  for (; *text != '\0'; text++) {
    if (*text == '.' && count > 0 && !fraction) {
      fraction = true;
      continue;
    }
    if (!text_is_digit(*text) || ++count > 15) return false;
    digits = digits * 10 + (*text - '0');
    if (fraction) scale *= 10;
  }
  *number = digits / scale;
  return count > 0 && text[-1] != '.';
}

/* Pushes a variable's value as its reading says. [-0, +1]; raises if it should be a number. */
static void push_value(lua_State *L, enum reading reading, const char *variable,
                       const char *value) {
  switch (reading) {
    case TEXT:
      lua_pushstring(L, value);
      break;
    case FLAG:
      lua_pushboolean(L, strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
      break;
    case NUMBER: {
      double number = 0;
      if (!read_number(value, &number)) luaL_error(L, "variable %s must be a number", variable);
      lua_pushnumber(L, number);
      break;
    }
  }
}

/* Pushes what UIPATH_URL says for an option. [-0, +(0|1)]; gives and raises as environment_push. */
static const char *push_url_part(lua_State *L, const char *option) {
  static const char variable[] = "UIPATH_URL";
  bool base_url = strcmp(option, "base_url") == 0;
  bool organization = strcmp(option, "organization") == 0;
  bool tenant = strcmp(option, "tenant") == 0;
  const char *url = variable_value(variable);
  if (url == NULL || !(base_url || organization || tenant)) return NULL;

  struct url_parts parts;
  if (!url_split(url, &parts))
    luaL_error(L, "variable %s must be of the form https://host/organization/tenant", variable);
  const char *part = base_url ? url : organization ? parts.organization : parts.tenant;
  size_t length = base_url       ? parts.origin_length
                  : organization ? parts.organization_length
                                 : parts.tenant_length;
  if (length == 0) return NULL;
  lua_pushlstring(L, part, length);
  return variable;
}

const char *environment_push(lua_State *L, const char *option) {
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    const struct entry *entry = &entries[i];
    if (strcmp(entry->option, option) != 0) continue;
    for (size_t j = 0; j < 2 && entry->variables[j] != NULL; j++) {
      const char *value = variable_value(entry->variables[j]);
      if (value == NULL) continue;
      push_value(L, entry->reading, entry->variables[j], value);
      return entry->variables[j];
    }
  }
  return push_url_part(L, option);
}
