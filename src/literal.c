#include "literal.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "engine/text.h"
#include "json/number.h"

/* ======================================================================== */
/* Marks: userdata whose text is a literal already                          */
/* ======================================================================== */

#define MARK "uipath.odata literal"

struct mark {
  size_t length;
  char text[];
};

bool literal_is_marked(lua_State *L, int index) {
  return luaL_testudata(L, index, MARK) != NULL;
}

/* tostring(mark): its text. */
static int mark_tostring(lua_State *L) {
  const struct mark *mark = luaL_checkudata(L, 1, MARK);
  lua_pushlstring(L, mark->text, mark->length);
  return 1;
}

/* Pushes a mark that holds the text. [-0, +1]; gives 1. */
static int push_mark(lua_State *L, const char *text, size_t length) {
  struct mark *mark = lua_newuserdata(L, sizeof *mark + length);
  mark->length = length;
  memcpy(mark->text, text, length);
  if (luaL_newmetatable(L, MARK)) {
    lua_pushcfunction(L, mark_tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_setmetatable(L, -2);
  return 1;
}

int literal_guid(lua_State *L) {
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &length);
  luaL_argcheck(L, text_is_guid(text, length), 1, "not a GUID");
  return push_mark(L, text, length);
}

/* Skips words of letters, digits and underscores, joined by separator; NULL if one is missing. */
static const char *skip_words(const char *text, char separator) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  for (;; text++) {
    size_t length = strspn(text, letters);
    if (length == 0) return NULL;
    text += length;
    if (*text != separator) return text;
  }
}

/* Whether the text is Member, or Namespace.Type'Member,…'. */
static bool is_enum(const char *text, size_t length) {
  const char *end = skip_words(text, '.');
  if (end != NULL && *end == '\'') {
    end = skip_words(end + 1, ',');
    if (end == NULL || *end++ != '\'') return false;
  }
  return end == text + length;
}

int literal_enum(lua_State *L) {
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &length);
  luaL_argcheck(L, is_enum(text, length), 1,
                "not an enumeration's member, such as Faulted or Type'Faulted'");
  return push_mark(L, text, length);
}

/* Whether the text is an integer of 64 bits as OData writes it: digits, with a minus sign or none, and no zeros before them. */
static bool is_int64(const char *text, size_t length) {
  const char *digits = text + (*text == '-');
  size_t count = strspn(digits, "0123456789");
  if (count == 0 || count > 19 || digits + count != text + length || (*digits == '0' && (count > 1 || *text == '-'))) return false;
  /* Of as many digits the order of texts is that of the numbers. */
  return count < 19 || strcmp(digits, *text == '-' ? "9223372036854775808" : "9223372036854775807") <= 0;
}

int literal_integer(lua_State *L) {
  size_t length;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  int type = lua_type(L, 1);
  if (type != LUA_TSTRING) {
    bool is_number = type == LUA_TNUMBER || strcmp(luaL_typename(L, 1), "cdata") == 0;
    if (!is_number || literal_push(L, 1) != NULL) return luaL_argerror(L, 1, "must be an integer, or its digits as a string");
  }
  const char *text = lua_tolstring(L, -1, &length);
  luaL_argcheck(L, is_int64(text, length), 1, "not an integer of 64 bits, such as 9007199254740993");
  return push_mark(L, text, length);
}

/* ======================================================================== */
/* Dates                                                                    */
/* ======================================================================== */

struct date {
  int year, month, day, hour, minute, second, millisecond;
};

/* Whether there is such a date in the years 1 to 9999 and such a time of day. */
static bool date_exists(const struct date *date) {
  static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12) return false;
  bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
  int days = month_days[date->month - 1] + (date->month == 2 && leap);
  return date->day >= 1 && date->day <= days && date->hour >= 0 && date->hour <= 23 &&
         date->minute >= 0 && date->minute <= 59 && date->second >= 0 && date->second <= 59;
}

/* The date of so many seconds since 1970. false: out of the years 1 to 9999. */
static bool date_of_seconds(double seconds, struct date *date) {
  double milliseconds = floor(seconds * 1000 + 0.5);
  if (!(milliseconds >= -62135596800000.0 && milliseconds < 253402300800000.0)) return false;
  double days = floor(milliseconds / 86400000);
  int in_day = (int)(milliseconds - days * 86400000);

  /* Years are counted from March, so that a leap day ends one, in eras of 400 from year 0. */
  int day = (int)days + 719468;
  int era = day / 146097;
  int day_of_era = day - era * 146097;
  int year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int month_from_march = (5 * day_of_year + 2) / 153;
  date->day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  date->month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  date->year = year_of_era + era * 400 + (date->month <= 2);
  date->hour = in_day / 3600000;
  date->minute = in_day / 60000 % 60;
  date->second = in_day / 1000 % 60;
  date->millisecond = in_day % 1000;
  return true;
}

/* Reads count digits and moves *text past them. false: there are fewer. */
static bool read_digits(const char **text, int count, int *value) {
  *value = 0;
  for (; count > 0; count--, (*text)++) {
    if (!text_is_digit(**text)) return false;
    *value = *value * 10 + (**text - '0');
  }
  return true;
}

/* Moves *text past the character if it stands there. */
static bool skip(const char **text, char character) {
  if (**text != character) return false;
  (*text)++;
  return true;
}

/* Reads Z, +hh:mm or -hh:mm at the end of the text. */
static bool is_zone(const char *text) {
  int hour, minute;
  if (skip(&text, 'Z')) return *text == '\0';
  if (!skip(&text, '+') && !skip(&text, '-')) return false;
  return read_digits(&text, 2, &hour) && skip(&text, ':') && read_digits(&text, 2, &minute) &&
         *text == '\0' && hour <= 14 && minute <= 59;
}

/* Whether the text is yyyy-mm-dd, or that with Thh:mm[:ss[.fraction]] and a zone. */
static bool is_date(const char *text) {
  struct date date = {0};
  if (!read_digits(&text, 4, &date.year) || !skip(&text, '-') ||
      !read_digits(&text, 2, &date.month) || !skip(&text, '-') || !read_digits(&text, 2, &date.day))
    return false;
  if (*text == '\0') return date_exists(&date);
  if (!skip(&text, 'T') || !read_digits(&text, 2, &date.hour) || !skip(&text, ':') ||
      !read_digits(&text, 2, &date.minute))
    return false;
  if (skip(&text, ':')) {
    if (!read_digits(&text, 2, &date.second)) return false;
    if (skip(&text, '.')) {
      size_t digits = strspn(text, "0123456789");
      if (digits == 0 || digits > 12) return false;
      text += digits;
    }
  }
  return date_exists(&date) && is_zone(text);
}

/* The field of the date table at index 1; raises unless it is a whole number. absent: its value
   where there is none, -1 raises. [-0, +0] */
static int date_field(lua_State *L, const char *name, int absent) {
  lua_getfield(L, 1, name);
  lua_Number number = lua_isnil(L, -1) ? absent : lua_tonumber(L, -1);
  bool numeric = lua_isnil(L, -1) || lua_type(L, -1) == LUA_TNUMBER;
  lua_pop(L, 1);
  if (!numeric || !(number >= 0 && number <= 9999) || number != floor(number))
    luaL_error(L, "a date's %s must be a whole number", name);
  return (int)number;
}

int literal_date(lua_State *L) {
  struct date date = {0};
  switch (lua_type(L, 1)) {
    case LUA_TSTRING: {
      size_t length;
      const char *text = lua_tolstring(L, 1, &length);
      luaL_argcheck(L, strlen(text) == length && is_date(text), 1,
                    "not a date like 2026-11-24 or 2026-11-24T01:02:03Z (a time needs its zone)");
      return push_mark(L, text, length);
    }
    case LUA_TNUMBER:
      luaL_argcheck(L, date_of_seconds(lua_tonumber(L, 1), &date), 1,
                    "not a time in the years 1 to 9999");
      break;
    case LUA_TTABLE:
      date.year = date_field(L, "year", -1);
      date.month = date_field(L, "month", -1);
      date.day = date_field(L, "day", -1);
      date.hour = date_field(L, "hour", 0);
      date.minute = date_field(L, "min", 0);
      date.second = date_field(L, "sec", 0);
      luaL_argcheck(L, date_exists(&date), 1, "there is no such date");
      break;
    default:
      luaL_argerror(
          L, 1, "must be seconds since 1970, an ISO 8601 string or a table with year, month, day");
  }
  char text[96];
  int length = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month,
                        date.day, date.hour, date.minute, date.second);
  if (date.millisecond != 0)
    length += snprintf(text + length, sizeof text - (size_t)length, ".%03d", date.millisecond);
  text[length++] = 'Z';
  return push_mark(L, text, (size_t)length);
}

/* ======================================================================== */
/* Literals. Each function below gives and pushes as literal_push does.     */
/* ======================================================================== */

#define NO_LITERAL "has no OData literal"
#define INT64_END 9223372036854775808.0 /* 2^63 */

static const char *push_string(lua_State *L, int index) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  if (!text_is_utf8(text, length)) return "is not valid UTF-8";
  if (text_has_control(text, length)) return "contains control characters";
  const char *doubled = luaL_gsub(L, text, "'", "''");
  lua_pushfstring(L, "'%s'", doubled);
  lua_remove(L, -2);
  return NULL;
}

/* Whole numbers go as digits alone, as far as int64 holds them. */
static const char *push_number(lua_State *L, int index) {
  char text[NUMBER_MAX_LENGTH];
  lua_Number number = lua_tonumber(L, index);
  if (!isfinite(number)) return "is not a finite number";
  size_t length;
  if (number == floor(number) && fabs(number) < INT64_END)
    length = number_write_integer(text, (int64_t)number);
  else
    length = number_write_double(text, number);
#if COMPAT_EXACT_INTEGERS
  if (lua_isinteger(L, index)) length = number_write_integer(text, lua_tointeger(L, index));
#endif
  lua_pushlstring(L, text, length);
  return NULL;
}

/* LuaJIT's int64_t and uint64_t, which are cdata: their digits, without the suffix. */
static const char *push_cdata(lua_State *L, int index) {
  if (luaL_callmeta(L, index, "__tostring") && lua_type(L, -1) == LUA_TSTRING) {
    const char *text = lua_tostring(L, -1);
    size_t digits = strspn(text + (*text == '-'), "0123456789") + (*text == '-');
    if (strcmp(text + digits, "LL") == 0 || strcmp(text + digits, "ULL") == 0) {
      lua_pushlstring(L, text, digits);
      lua_remove(L, -2);
      return NULL;
    }
  }
  return NO_LITERAL;
}

/* Anything but a list. */
static const char *push_scalar(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
      return "is nil (uipath.null stands for null)";
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
      return NULL;
    case LUA_TNUMBER:
      return push_number(L, index);
    case LUA_TSTRING:
      return push_string(L, index);
    case LUA_TTABLE:
      return "is a list within a list";
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) != NULL) return NO_LITERAL;
      lua_pushliteral(L, "null");
      return NULL;
    case LUA_TUSERDATA: {
      const struct mark *mark = luaL_testudata(L, index, MARK);
      if (mark == NULL) return NO_LITERAL;
      lua_pushlstring(L, mark->text, mark->length);
      return NULL;
    }
    default:
      return strcmp(luaL_typename(L, index), "cdata") == 0 ? push_cdata(L, index) : NO_LITERAL;
  }
}

const char *literal_push(lua_State *L, int index) {
  if (!lua_istable(L, index)) return push_scalar(L, index);
  index = lua_absindex(L, index);
  size_t count = lua_rawlen(L, index);
  if (count == 0) return "is a table, but not a list, or an empty one";
  size_t keys = 0;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) keys++;
  if (keys != count) return "is a table, but not a list without holes";

  luaL_Buffer literal;
  luaL_buffinit(L, &literal);
  for (size_t i = 1; i <= count; i++) {
    luaL_addchar(&literal, i == 1 ? '(' : ',');
    lua_rawgeti(L, index, (int)i);
    const char *mistake = push_scalar(L, -1);
    if (mistake != NULL) return mistake;
    lua_remove(L, -2);
    luaL_addvalue(&literal);
  }
  luaL_addchar(&literal, ')');
  luaL_pushresult(&literal);
  return NULL;
}
