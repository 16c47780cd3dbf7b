#include "suggest.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "compat.h"
#include "engine/text.h"

#define LONGEST_NAME 40 /* longer ones are misspelt beyond help */
#define LEAST_BEGINNING 3 /* letters of a word that may stand for it */

/* Whether two characters are equal but for the case of ASCII letters. */
static bool same_letter(char one, char other) {
  if (one == other) return true;
  return text_is_letter(one) && (one ^ other) == ('a' ^ 'A');
}

static int least(int one, int other) { return one < other ? one : other; }

/* How many single edits (a letter added, left out, replaced, or two neighbours exchanged) make one
   of the other; INT_MAX if a name is longer than LONGEST_NAME. */
static int edit_distance(const char *one, const char *other) {
  size_t rows = strlen(one), columns = strlen(other);
  if (rows > LONGEST_NAME || columns > LONGEST_NAME) return INT_MAX;

  /* distance[i][j] is that of the first i letters of one and the first j of other. */
  int distance[LONGEST_NAME + 1][LONGEST_NAME + 1];
  for (size_t i = 0; i <= rows; i++) distance[i][0] = (int)i;
  for (size_t j = 0; j <= columns; j++) distance[0][j] = (int)j;
  for (size_t i = 1; i <= rows; i++) {
    for (size_t j = 1; j <= columns; j++) {
      int replace = distance[i - 1][j - 1] + !same_letter(one[i - 1], other[j - 1]);
      int add_or_drop = least(distance[i - 1][j], distance[i][j - 1]) + 1;
      distance[i][j] = least(replace, add_or_drop);
      if (i > 1 && j > 1 && same_letter(one[i - 1], other[j - 2]) &&
          same_letter(one[i - 2], other[j - 1]))
        distance[i][j] = least(distance[i][j], distance[i - 2][j - 2] + 1);
    }
  }
  return distance[rows][columns];
}

/* Whether one of the words of a name is these length letters or, where they are enough to tell, begins with them. */
static bool has_word(const char *name, const char *word, size_t length) {
  for (const char *at = name; length > 1 && *at != '\0'; at++) {
    bool begins = at == name || at[-1] == '_';
    if (!begins || strncasecmp(at, word, length) != 0) continue;
    if (at[length] == '_' || at[length] == '\0' || length >= LEAST_BEGINNING) return true;
  }
  return false;
}

/* Whether all the words of one are words of the other: `secret` of client_secret, max_bytes of max_response_bytes, `deploy` of deployment. */
static bool has_all_words(const char *name, const char *words) {
  while (*words != '\0') {
    size_t length = strcspn(words, "_");
    if (!has_word(name, words, length)) return false;
    words += length + (words[length] == '_');
  }
  return true;
}

/* Whether the words of a name that is not known say which is meant: they are of it, or it begins with them (timeout of timeout_ms). */
static bool is_meant(const char *known, const char *name) {
  size_t length = strlen(known);
  bool goes_on = strncasecmp(name, known, length) == 0 && name[length] == '_';
  return goes_on || (*name != '\0' && has_all_words(known, name));
}

/* The name that is nearest, by letters or else by its words; NULL if none is near. */
static const char *nearest_of(const char *name, const char *const *names) {
  const char *nearest = NULL;
  int nearest_distance = INT_MAX;
  for (const char *const *each = names; *each != NULL; each++) {
    int distance = edit_distance(name, *each);
    if (distance < nearest_distance) {
      nearest = *each;
      nearest_distance = distance;
    }
  }
  /* Up to a third of the letters may be wrong: more is another word. */
  if (nearest != NULL && nearest_distance <= (int)(strlen(nearest) + 1) / 3) return nearest;
  for (; *names != NULL; names++)
    if (is_meant(*names, name)) return *names;
  return NULL;
}

int suggest_unknown(lua_State *L, const char *what, const char *name, const char *const *names) {
  const char *nearest = nearest_of(name, names);
  if (nearest == NULL) return luaL_error(L, "unknown %s '%s'", what, name);
  return luaL_error(L, "unknown %s '%s' (did you mean '%s'?)", what, name, nearest);
}

/* suggestion(name, names) → " (did you mean '…'?)", or "" */
static int internal_suggestion(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  size_t count = lua_rawlen(L, 2);
  const char **names = lua_newuserdata(L, (count + 1) * sizeof *names);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    names[i] = luaL_checkstring(L, -1);
    lua_pop(L, 1); /* the list keeps it */
  }
  names[count] = NULL;
  const char *nearest = nearest_of(name, names);
  if (nearest == NULL) lua_pushliteral(L, "");
  else lua_pushfstring(L, " (did you mean '%s'?)", nearest);
  return 1;
}

void suggest_add_internals(lua_State *L) {
  lua_pushcfunction(L, internal_suggestion);
  lua_setfield(L, -2, "suggestion");
}
