/* The decoder: any text gives a value that is the same when written and read again, or an error; and the scanner,
   which builds nothing, is of the same opinion. */
#include "values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = shared_state();
  const char *text = lua_pushlstring(L, (const char *)data, size);
  bool valid = json_decode(L, text, size, NULL);
  bool compared = true;
  if (valid) {
    check_there_and_back(L);
  } else {
    /* The scanner does not convert numbers, and sees one more level, the object below. */
    expect(strncmp(lua_tostring(L, -1), "line ", 5) == 0);
    compared = strstr(lua_tostring(L, -1), "beyond the range of doubles") == NULL;
  }
  lua_settop(L, 1);
  expect(json_decode(L, text, size, &(struct json_options){.drop_nulls = true}) == valid);
  lua_settop(L, 1);

  /* A mark before the text would stand within the object. */
  if (!compared || json_skip_mark(text, text + size) != text) return 0;
  struct json_member member;
  lua_pushliteral(L, "{\"a\":");
  lua_pushvalue(L, 1);
  lua_pushliteral(L, "}");
  lua_concat(L, 3);
  size_t length;
  const char *object = lua_tolstring(L, -1, &length);
  int found = json_find_member(object, length, "a", &member);
  if (valid) expect(found == 1 || size >= JSON_MAX_DEPTH);
  /* What is no value may still close the object and go on. */
  else
    expect(found != 1 || memchr(text, '"', size) != NULL || memchr(text, '}', size) != NULL);
  return 0;
}
