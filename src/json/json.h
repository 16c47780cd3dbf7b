/* JSON text to Lua values and back, without a tree in between. */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* How values appear in Lua:

   null     light userdata NULL: the very value of cjson.null
   number   Lua 5.4: an integer where the text has neither fraction nor exponent and fits int64, else a
            float; LuaJIT: a number, but integers past +-2^53 are strings of their digits.
            "-0" is the float -0.0. What no double can hold (1e400) is an error.
   string   UTF-8, checked in both directions
   object   a table; of members with the same name the last one wins
   array    a table without a metatable; an empty one has the mark of arrays as its metatable */

/* What json_decode may read behind its text: one byte, which must be NUL. Lua's strings have it. */
#define JSON_PADDING 1

struct json_options {
  bool drop_nulls; /* null members of objects are left out (nulls in arrays stay) */
};

/* Decodes text[0..length), of which text[length] is NUL, and pushes the value; or pushes a message that
   says what is wrong in which line and column. [-0, +1] options may be NULL: nulls are kept.
   Raises nothing but memory errors. */
bool json_decode(lua_State *L, const char *text, size_t length, const struct json_options *options);

/* Encodes the value at index and pushes the text; or pushes a message with the path to what cannot be
   written. [-0, +1] No metamethods are called. Raises nothing but memory errors. */
bool json_encode(lua_State *L, int index);

/* Pushes the metatable that marks a table as an array even while it is empty: cjson's array_mt where the
   installed cjson has one, else one of our own. The first call loads cjson if it is installed.
   [-0, +1] Raises nothing but memory errors. */
void json_push_array_metatable(lua_State *L);

#endif
