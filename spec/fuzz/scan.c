/* The scanner and the numbers: each way of doing it against the portable one and against the C library. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/json/number.h"
#include "../../src/json/scan.h"

/* The same, compiled without SSE2 and 128-bit integers. */
int portable_json_find_member(const char *text, size_t length, const char *name, struct json_member *member);
const char *portable_json_scan_string(const char *text, const char *end, struct json_fault *fault);
enum json_unescaped portable_json_unescape(const char **text, const char *end, char **to, char *to_end, struct json_fault *fault);
const char *portable_number_read(const char *text, struct number *number);
size_t portable_number_write_double(char *to, double real);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int condition) {
  if (!condition) abort();
}

static void compare_members(const char *text, size_t length) {
  struct json_member own = {0}, portable = {0};
  int found = json_find_member(text, length, "a", &own);
  expect(found == portable_json_find_member(text, length, "a", &portable));
  if (found != 1) return;
  expect(own.text == portable.text && own.length == portable.length && own.kind == portable.kind);
  size_t string_length;
  free(json_member_string(&own, &string_length));
}

static void compare_strings(const char *text, size_t length) {
  const char *end = text + length, *own_at = text, *portable_at = text;
  struct json_fault own_fault = {0}, portable_fault = {0};
  expect(json_scan_string(text, end, &own_fault) == portable_json_scan_string(text, end, &portable_fault));
  expect(own_fault.at == portable_fault.at && own_fault.message == NULL == (portable_fault.message == NULL));

  char *own = malloc(length + JSON_UNESCAPE_ROOM), *portable = malloc(length + JSON_UNESCAPE_ROOM);
  expect(own != NULL && portable != NULL);
  char *own_to = own, *portable_to = portable;
  enum json_unescaped result = json_unescape(&own_at, end, &own_to, own + length + JSON_UNESCAPE_ROOM, &own_fault);
  expect(result ==
         portable_json_unescape(&portable_at, end, &portable_to, portable + length + JSON_UNESCAPE_ROOM, &portable_fault));
  expect(result != JSON_NO_ROOM && own_at == portable_at && own_to - own == portable_to - portable);
  expect(memcmp(own, portable, (size_t)(own_to - own)) == 0);
  if (result == JSON_BAD_STRING) expect(own_fault.at == portable_fault.at);
  free(own);
  free(portable);
}

/* Whether two doubles are the same, zeros by their sign. */
static int same(double one, double other) {
  return memcmp(&one, &other, sizeof one) == 0;
}

static void compare_numbers(const char *text) {
  struct number own = {0}, portable = {0};
  const char *end = number_read(text, &own);
  expect(end == portable_number_read(text, &portable));
  if (end == NULL) return;
  expect(own.kind == portable.kind);
  /* strtod may go on where JSON's numbers end: 0x10, 01. */
  char *copy = strndup(text, (size_t)(end - text));
  expect(copy != NULL);
  if (own.kind == NUMBER_INTEGER)
    expect(own.integer == portable.integer && own.integer == strtoll(copy, NULL, 10));
  else
    expect(same(own.real, portable.real) && same(own.real, strtod(copy, NULL)));
  free(copy);
}

static void compare_double(const char *bytes) {
  double real;
  memcpy(&real, bytes, sizeof real);
  if (!isfinite(real)) return;
  char own[NUMBER_MAX_LENGTH + 1], portable[NUMBER_MAX_LENGTH + 1];
  own[number_write_double(own, real)] = '\0';
  portable[portable_number_write_double(portable, real)] = '\0';
  struct number number = {0};
  expect(strlen(own) == strlen(portable));
  expect(number_read(own, &number) == own + strlen(own) && number.kind == NUMBER_REAL && same(number.real, real));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1); /* the number's NUL; the rest must not be read beyond size, which the copy below shows */
  char *exact = malloc(size > 0 ? size : 1);
  expect(text != NULL && exact != NULL);
  memcpy(text, data, size);
  memcpy(exact, data, size);
  text[size] = '\0';
  compare_members(exact, size);
  compare_strings(exact, size);
  compare_numbers(text);
  if (size >= sizeof(double)) compare_double(exact);
  free(text);
  free(exact);
  return 0;
}
