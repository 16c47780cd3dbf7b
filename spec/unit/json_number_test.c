#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/json/number.h"

enum { ROUNDS = 60000 };

static uint64_t bits_of(double real) {
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  return bits;
}

/* Numbers from all of 64 bits, the same ones every time. */
static uint64_t random_bits(void) {
  static uint64_t seed = 1;
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

/* A finite double from any bits; mostly of a size that is common. */
static double random_double(void) {
  for (;;) {
    uint64_t bits = random_bits();
    if (bits % 4 != 0) bits = (bits & ~(UINT64_C(0x7FF) << 52)) | (1023 - 40 + random_bits() % 100) << 52;
    double real;
    memcpy(&real, &bits, sizeof real);
    if (isfinite(real)) return real;
  }
}

/* ======================================================================== */
/* Text to number                                                           */
/* ======================================================================== */

/* Checks that the text is one number, and the double nearest to it; glibc's strtod rounds correctly. */
static void check_real(const char *text) {
  struct number number = {0};
  assert_ptr_equal(number_read(text, &number), text + strlen(text));
  double real = number.kind == NUMBER_INTEGER ? (double)number.integer : number.real;
  if (bits_of(real) != bits_of(strtod(text, NULL))) fail_msg("%s: %a, not %a", text, real, strtod(text, NULL));
}

static void kinds(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum number_kind kind;
    int64_t integer;
    double real;
  } rows[] = {
      {"0", NUMBER_INTEGER, 0, 0},
      {"7", NUMBER_INTEGER, 7, 0},
      {"-7", NUMBER_INTEGER, -7, 0},
      {"9223372036854775807", NUMBER_INTEGER, INT64_MAX, 0},
      {"-9223372036854775808", NUMBER_INTEGER, INT64_MIN, 0},
      {"9223372036854775808", NUMBER_BIG_INTEGER, 0, 0x1p63},
      {"-9223372036854775809", NUMBER_BIG_INTEGER, 0, -0x1p63},
      {"9999999999999999999", NUMBER_BIG_INTEGER, 0, 9999999999999999999.0},
      {"18446744073709551616", NUMBER_BIG_INTEGER, 0, 0x1p64},
      {"36893488147419103232", NUMBER_BIG_INTEGER, 0, 0x1p65}, /* what 64 bits would take for 0 */
      {"100000000000000000000000", NUMBER_BIG_INTEGER, 0, 1e23},
      {"-0", NUMBER_REAL, 0, -0.0},
      {"0.0", NUMBER_REAL, 0, 0.0},
      {"-0.0", NUMBER_REAL, 0, -0.0},
      {"1.0", NUMBER_REAL, 0, 1.0},
      {"1e2", NUMBER_REAL, 0, 100.0},
      {"1E+2", NUMBER_REAL, 0, 100.0},
      {"1.5e-1", NUMBER_REAL, 0, 0.15},
      {"1e400", NUMBER_REAL, 0, INFINITY},
      {"-1e400", NUMBER_REAL, 0, -INFINITY},
      {"1e-400", NUMBER_REAL, 0, 0.0},
      {"-1e-400", NUMBER_REAL, 0, -0.0},
      {"1e99999999999999999999", NUMBER_REAL, 0, INFINITY},
      {"1e-99999999999999999999", NUMBER_REAL, 0, 0.0},
      {"0e99999999999999999999", NUMBER_REAL, 0, 0.0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct number number = {0};
    assert_ptr_equal(number_read(rows[i].text, &number), rows[i].text + strlen(rows[i].text));
    assert_int_equal(number.kind, rows[i].kind);
    if (number.kind == NUMBER_INTEGER)
      assert_true(number.integer == rows[i].integer);
    else
      assert_true(bits_of(number.real) == bits_of(rows[i].real));
  }
}

static void what_is_none_or_ends_early(void **state) {
  (void)state;
  static const char *const none[] = {"",   "-",   "--1", "+1",   ".5", "-.5", "e1",       "1.", "1.e1",
                                     "1e", "1e+", "1e-", "1.5e", "-x", "x",   "Infinity", "NaN"};
  static const struct {
    const char *text;
    ptrdiff_t length;
  } rows[] = {{"01", 1}, {"-01", 2}, {"1x", 1},    {"0x10", 1}, {"1.5.5", 3}, {"1e5.5", 3},
              {"1-", 1}, {"12,", 2}, {"1e5e5", 3}, {"00", 1},   {"1.0f", 3}};
  struct number number;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_null(number_read(none[i], &number));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_ptr_equal(number_read(rows[i].text, &number), rows[i].text + rows[i].length);
}

static void famous_doubles(void **state) {
  (void)state;
  static const char *const texts[] = {
      "2.2250738585072011e-308",
      "2.2250738585072012e-308",
      "2.2250738585072014e-308",
      "4.9406564584124654e-324",
      "2.4703282292062327e-324",
      "2.4703282292062328e-324",
      "1.7976931348623157e308",
      "1.7976931348623158e308",
      "1.7976931348623159e308",
      "6.02214076e23",
      "9007199254740993.0",
      "9007199254740992.99999999999999999999",
      "9007199254740993.00000000000000000001",
      "8.442911973260991817129021e9",
      "1.00000000000000011102230246251565404236316680908203125",
      "1.00000000000000011102230246251565404236316680908203124",
      "1.00000000000000011102230246251565404236316680908203126",
      "0.500000000000000166533453693773481063544750213623046875",
      "3.518437208883201171875e13",
      "62.5364939768271845828",
      "8.10109172351e-10",
      "1.50000000000000011102230246251565",
      "9007199254740991.4999999999999999999999999999999995",
      "1e22",
      "1e23",
      "123456789012345678e22",
      "7450580596923828125e-27",
      "1e-27",
      "18446744073709551615e-27",
      "18446744073709551615e27",
      "0.000000000000000000000000000000000000001234567890123456789",
      "1234567890123456789012345678901234567890e-20",
      "0.10000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000000000000000000",
  };
  for (size_t i = 0; i + 1 < sizeof texts / sizeof *texts; i++) check_real(texts[i]);
  /* Long zeros before and behind the point. */
  char text[1000];
  for (int zeros = 0; zeros < 400; zeros += 7) {
    snprintf(text, sizeof text, "0.%0*d1e%d", zeros, 0, zeros + 3);
    check_real(text);
    snprintf(text, sizeof text, "1%0*de-%d", zeros + 1, 0, zeros);
    check_real(text);
    snprintf(text, sizeof text, "1.%0*d1", zeros + 1, 0);
    check_real(text);
  }
}

static void texts_become_the_nearest_double(void **state) {
  (void)state;
  char text[100];
  for (int round = 0; round < ROUNDS; round++) {
    int digits = 1 + (int)(random_bits() % 22), point = (int)(random_bits() % 22), exponent = (int)(random_bits() % 80) - 40;
    char *to = text;
    if (random_bits() % 2 == 0) *to++ = '-';
    for (int i = 0; i < digits; i++) {
      if (i == point && i > 0) *to++ = '.';
      *to++ = (char)((i == 0 ? '1' : '0') + random_bits() % 9);
      if (i == 0 && point == 1 && digits == 1) break;
    }
    if (random_bits() % 8 == 0) exponent *= 8;
    if (round % 2 == 0) to += sprintf(to, "e%+d", exponent);
    *to = '\0';
    check_real(text);
  }
}

static void doubles_printed_in_full_are_read_back(void **state) {
  (void)state;
  char text[2000];
  for (int round = 0; round < ROUNDS; round++) {
    double real = random_double();
    snprintf(text, sizeof text, "%.*e", 16 + (int)(random_bits() % 8), real);
    check_real(text);
    struct number number = {0};
    number_read(text, &number);
    assert_true(bits_of(number.real) == bits_of(real));
  }
  /* The middle between two doubles and what is next to it, to all its digits. */
  for (int round = 0; round < ROUNDS / 100; round++) {
    double real = fabs(random_double());
    if (real > 1e250 || real < 1e-250) continue;
    long double middle = ((long double)real + (long double)nextafter(real, INFINITY)) / 2;
    snprintf(text, sizeof text, "%.1100Le", middle);
    check_real(text);
    char *exponent = strchr(text, 'e');
    exponent[-1] = '1';
    check_real(text);
  }
}

/* ======================================================================== */
/* Number to text                                                           */
/* ======================================================================== */

static void integers_are_written(void **state) {
  (void)state;
  char text[NUMBER_MAX_LENGTH + 1], expected[40];
  static const int64_t edges[] = {
      0, 1, -1, 9, 10, 11, 99, 100, 101, 999, 1000, INT64_MAX, INT64_MIN, INT64_MIN + 1, INT32_MIN, INT32_MAX};
  for (int round = 0; round < ROUNDS; round++) {
    int64_t integer =
        (size_t)round < sizeof edges / sizeof *edges ? edges[round] : (int64_t)random_bits() >> (random_bits() % 64);
    text[number_write_integer(text, integer)] = '\0';
    snprintf(expected, sizeof expected, "%lld", (long long)integer);
    assert_string_equal(text, expected);
    struct number number;
    assert_ptr_equal(number_read(text, &number), text + strlen(text));
    assert_true(number.kind == NUMBER_INTEGER && number.integer == integer);
  }
}

/* The fewest digits with which printf's text reads back as the double. */
static int fewest_digits(double real) {
  char text[40];
  for (int digits = 1; digits < 17; digits++) {
    snprintf(text, sizeof text, "%.*e", digits - 1, real);
    if (strtod(text, NULL) == real) return digits;
  }
  return 17;
}

/* How many digits of the text tell something. */
static int count_digits(const char *text) {
  int count = 0, zeros = 0;
  for (; *text != '\0' && *text != 'e'; text++) {
    if (*text < '0' || *text > '9' || (*text == '0' && count == 0)) continue;
    zeros = *text == '0' ? zeros + 1 : 0;
    count++;
  }
  return count - zeros;
}

/* Checks that the double is written so that it reads back, in the fewest digits, and not as an integer. */
static void check_written(double real) {
  char text[NUMBER_MAX_LENGTH + 1];
  size_t length = number_write_double(text, real);
  assert_true(length <= NUMBER_MAX_LENGTH);
  text[length] = '\0';
  struct number number = {0};
  assert_ptr_equal(number_read(text, &number), text + length);
  assert_int_equal(number.kind, NUMBER_REAL);
  if (bits_of(number.real) != bits_of(real) || bits_of(strtod(text, NULL)) != bits_of(real))
    fail_msg("%a is written as %s", real, text);
  if (real != 0 && count_digits(text) > fewest_digits(real)) fail_msg("%a is written as %s", real, text);
}

static void doubles_are_written_as_people_do(void **state) {
  (void)state;
  static const struct {
    double real;
    const char *text;
  } rows[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-1.5, "-1.5"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"},
      {100, "100.0"},
      {1e15, "1000000000000000.0"},
      {1e16, "10000000000000000.0"},
      {1e17, "1e+17"},
      {1e22, "1e+22"},
      {1e23, "1e+23"},
      {123456789012345680.0, "1.2345678901234568e+17"},
      {12345678901234567.0, "12345678901234568.0"},
      {0.00001, "0.00001"},
      {0.000001, "1e-6"},
      {0x1p53, "9007199254740992.0"},
      {0x1p-20, "9.5367431640625e-7"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {5e-324, "5e-324"},
      {1e-323, "1e-323"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
      {9007199254740993.5, "9007199254740994.0"},
      {0x1p-44, "5.684341886080802e-14"},
      {0x1p-1074 * 3, "1.5e-323"},
      {4.35, "4.35"},
      {0.69999999999999996, "0.7"},
      {123.456, "123.456"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[NUMBER_MAX_LENGTH + 1];
    text[number_write_double(text, rows[i].real)] = '\0';
    assert_string_equal(text, rows[i].text);
  }
}

static void doubles_are_written_in_the_fewest_digits(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) check_written(random_double());
  /* Decimals of few digits, powers of two and of ten and their neighbours, and what no longer has all its bits. */
  for (int round = 0; round < ROUNDS; round++) {
    double real = (double)(random_bits() % 10000000) / pow(10, (double)(random_bits() % 12));
    check_written(random_bits() % 2 == 0 ? real : -real);
  }
  for (int exponent = -1074; exponent < 1024; exponent++) {
    double power = ldexp(1, exponent);
    check_written(power);
    check_written(nextafter(power, 0));
    check_written(nextafter(power, INFINITY));
  }
  for (int exponent = -320; exponent <= 308; exponent++) {
    double power = pow(10, exponent);
    check_written(power);
    check_written(nextafter(power, 0));
    check_written(nextafter(power, INFINITY));
  }
  for (int round = 0; round < ROUNDS / 100; round++) check_written((double)(random_bits() % 100000) * 0x1p-1074);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinds),
      cmocka_unit_test(what_is_none_or_ends_early),
      cmocka_unit_test(famous_doubles),
      cmocka_unit_test(texts_become_the_nearest_double),
      cmocka_unit_test(doubles_printed_in_full_are_read_back),
      cmocka_unit_test(integers_are_written),
      cmocka_unit_test(doubles_are_written_as_people_do),
      cmocka_unit_test(doubles_are_written_in_the_fewest_digits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
