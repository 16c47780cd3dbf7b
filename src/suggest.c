#include "suggest.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "engine/text.h"

#define LONGEST_NAME 40 /* longer ones are misspelt beyond help */

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

int suggest_unknown(lua_State *L, const char *what, const char *name, const char *const *names) {
  const char *nearest = NULL;
  int nearest_distance = INT_MAX;
  for (; *names != NULL; names++) {
    int distance = edit_distance(name, *names);
    if (distance < nearest_distance) {
      nearest = *names;
      nearest_distance = distance;
    }
  }
  /* Up to a third of the letters may be wrong: more is another word. */
  if (nearest == NULL || nearest_distance > (int)(strlen(nearest) + 1) / 3)
    return luaL_error(L, "unknown %s '%s'", what, name);
  return luaL_error(L, "unknown %s '%s' (did you mean '%s'?)", what, name, nearest);
}
