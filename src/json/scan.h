/* Reading JSON text: strings, white space, and members of an object without building anything. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Arrays and objects may be nested this deep: in texts, and in tables that are written. */
#define JSON_MAX_DEPTH 1000
#define JSON_TOO_DEEP "is nested deeper than 1000 levels"

/* What is wrong with a text, and where. */
struct json_fault {
  const char *at;      /* in the text */
  const char *message; /* static */
};

/* ======================================================================== */
/* Pieces of a text. All stop at end; none needs more than text[0..end).    */
/* ======================================================================== */

/* Skips the byte order mark that some servers send first. */
const char *json_skip_mark(const char *text, const char *end);

/* Gives the length, 2 to 4, of the valid UTF-8 sequence that begins with the byte >= 0x80 at text; 0: it
   is not valid. */
size_t json_sequence_length(const char *text, const char *end);

/* Reads on from text, somewhere behind a string's opening quote, to its closing quote or to its first
   escape, whichever comes first, and gives that place. NULL: the string is not valid, see fault. */
const char *json_scan_string(const char *text, const char *end, struct json_fault *fault);

enum json_unescaped { JSON_UNESCAPED, JSON_NO_ROOM, JSON_BAD_STRING };

/* json_unescape needs this much room for its next step. */
#define JSON_UNESCAPE_ROOM 16

/* Copies a string without its escapes from *text, somewhere behind its opening quote, to *to, and moves
   both on. JSON_UNESCAPED: *text is the closing quote; JSON_NO_ROOM: fewer than JSON_UNESCAPE_ROOM bytes
   are left before to_end, continue with more; JSON_BAD_STRING: see fault. */
enum json_unescaped json_unescape(const char **text, const char *end, char **to, char *to_end,
                                  struct json_fault *fault);

/* ======================================================================== */
/* Members of an object                                                     */
/* ======================================================================== */

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* A value where it stands in the text: a string with its quotes, an array with its brackets. */
struct json_member {
  enum json_kind kind;
  const char *text;
  size_t length;
};

/* Looks for a member by name, which is at most JSON_MAX_NAME bytes, and checks the whole text.
   1: found, the last one if there are several; 0: absent; -1: the text is not a valid JSON object. */
int json_find_member(const char *text, size_t length, const char *name, struct json_member *member);
#define JSON_MAX_NAME 200

/* The member's string without escapes, NUL-terminated, malloc'ed; its length goes to *length (which may be
   NULL). NULL: the member is no string, or no memory. */
char *json_member_string(const struct json_member *member, size_t *length);

#endif
