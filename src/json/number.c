#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtod_l */
#endif
#include "number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

/* ======================================================================== */
/* Text to number                                                           */
/* ======================================================================== */

/* 10^n is a double, and 5^n fits 64 bits, for n up to these. */
#define MAX_EXACT_POWER_OF_10 22
#define MAX_POWER_OF_5 27
/* Any number of so many digits fits 64 bits. */
#define MAX_DIGITS 19
/* Beyond this every double is zero or infinite; keeps the arithmetic of exponents from overflowing. */
#define MAX_EXPONENT 100000

static const double powers_of_10[MAX_EXACT_POWER_OF_10 + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Without 128-bit integers more numbers go through the C library, more slowly. */
#if defined __SIZEOF_INT128__ && !defined JSON_PORTABLE
#define WIDE_INTEGERS
#endif

/* The double nearest to a decimal number's text, whatever the locale says of decimal points. */
static double nearest_of_text(const char *text) {
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) return strtod(text, NULL);
  double real = strtod_l(text, NULL, c_locale);
  freelocale(c_locale);
  return real;
}

#ifdef WIDE_INTEGERS

__extension__ typedef unsigned __int128 uint128;

/* 5^n for n from 0 to MAX_POWER_OF_5. */
static uint64_t power_of_5(int n) {
  static const uint64_t powers[] = {1, 5, 25, 125, 625, 3125, 15625, 78125};
  uint64_t power = powers[n & 7];
  for (; n > 7; n -= 8) power *= 390625;
  return power;
}

/* significand * 10^exponent, correctly rounded, for 0 < significand and |exponent| <= MAX_POWER_OF_5.
   10^n is 5^n * 2^n: the product or quotient with 5^n is had exactly in 128 bits (a quotient's remainder
   lives on as its lowest bit, far below what is kept), the conversion to double rounds once, and the
   powers of two change nothing. */
static double nearest_in_range(uint64_t significand, int exponent) {
  if (exponent >= 0) return ldexp((double)((uint128)significand * power_of_5(exponent)), exponent);
  uint64_t divisor = power_of_5(-exponent);
  int significand_shift = __builtin_clzll(significand);
  int divisor_shift = __builtin_clzll(divisor);
  /* The dividend's upper half is less than the divisor: the quotient has 63 or 64 bits. */
  uint128 dividend = (uint128)(significand << significand_shift) << 63;
  divisor <<= divisor_shift;
  uint64_t quotient = (uint64_t)(dividend / divisor);
  bool inexact = (uint128)quotient * divisor != dividend;
  return ldexp((double)(quotient | inexact), exponent + divisor_shift - significand_shift - 63);
}

#endif

/* The double nearest to significand * 10^exponent, if it can be had without the text. */
static bool nearest_quickly(uint64_t significand, int exponent, double *real) {
  if (FLT_EVAL_METHOD == 0 && significand >> DBL_MANT_DIG == 0 && exponent <= MAX_EXACT_POWER_OF_10 &&
      exponent >= -MAX_EXACT_POWER_OF_10) {
    /* Both are doubles: one operation, rounded once. */
    *real = exponent < 0 ? (double)significand / powers_of_10[-exponent]
                         : (double)significand * powers_of_10[exponent];
    return true;
  }
#ifdef WIDE_INTEGERS
  if (significand != 0 && exponent <= MAX_POWER_OF_5 && exponent >= -MAX_POWER_OF_5) {
    *real = nearest_in_range(significand, exponent);
    return true;
  }
#endif
  return false;
}

/* The double nearest to significand * 10^exponent, whose text this is. digits counts the text's digits. */
__attribute__((noinline)) static double nearest(uint64_t significand, size_t digits, int exponent, const char *text) {
  double real;
  if (digits > MAX_DIGITS || !nearest_quickly(significand, exponent, &real)) return nearest_of_text(text);
  return *text == '-' ? -real : real;
}

/* Adds the digits at text to *significand, which may overflow. Gives the place behind them. */
static inline const char *read_digits(const char *text, uint64_t *significand) {
  for (unsigned digit; (digit = (unsigned)(unsigned char)*text - '0') <= 9; text++)
    *significand = *significand * 10 + digit;
  return text;
}

/* Reads what follows e or E and gives the place behind it; NULL: there are no digits. */
static const char *read_exponent(const char *text, int *exponent) {
  bool negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  const char *begin = text;
  int magnitude = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    if (magnitude < MAX_EXPONENT) magnitude = magnitude * 10 + (*text - '0');
  *exponent = negative ? -magnitude : magnitude;
  return text == begin ? NULL : text;
}

/* Reads on behind a number's integer part. Kept out of number_read, so that integers take no longer for it. */
__attribute__((noinline)) static const char *read_real(const char *text, const char *end, uint64_t significand,
                             struct number *number) {
  const char *first = text + (*text == '-');
  size_t digits = (size_t)(end - first);
  size_t fraction_digits = 0;
  int exponent = 0;
  if (*end == '.') {
    const char *fraction = end + 1;
    end = read_digits(fraction, &significand);
    if (end == fraction) return NULL;
    fraction_digits = (size_t)(end - fraction);
    digits += fraction_digits;
    for (; digits > MAX_DIGITS && (*first == '0' || *first == '.'); first++) digits -= *first == '0';
  }
  if (*end == 'e' || *end == 'E') {
    end = read_exponent(end + 1, &exponent);
    if (end == NULL) return NULL;
  }
  if (fraction_digits > MAX_EXPONENT) digits = SIZE_MAX; /* to strtod: the exponent is out of range */
  else exponent -= (int)fraction_digits;
  number->kind = NUMBER_REAL;
  number->real = nearest(significand, digits, exponent, text);
  return end;
}

const char *number_read(const char *text, struct number *number) {
  bool negative = *text == '-';
  const char *first = text + negative;
  uint64_t significand = 0;
  const char *end = *first == '0' ? first + 1 : read_digits(first, &significand);
  if (end == first) return NULL;
  if (*end == '.' || *end == 'e' || *end == 'E') return read_real(text, end, significand, number);
  size_t digits = (size_t)(end - first);
  if (digits > MAX_DIGITS || significand > (uint64_t)INT64_MAX + negative) {
    number->kind = NUMBER_BIG_INTEGER;
    number->real = nearest(significand, digits, 0, text);
  } else if (significand == 0 && negative) {
    number->kind = NUMBER_REAL;
    number->real = -0.0;
  } else {
    number->kind = NUMBER_INTEGER;
    number->integer = (int64_t)(negative ? 0 - significand : significand);
  }
  return end;
}

/* ======================================================================== */
/* Number to text                                                           */
/* ======================================================================== */

/* The most digits a double needs; decimals of SURE_DIGITS are all told apart. */
#define MAX_DOUBLE_DIGITS 17
#define SURE_DIGITS DBL_DIG
/* The doubles in [10^-5, 10^17) are written without an exponent. */
#define MIN_PLAIN_EXPONENT (-5)
#define MAX_PLAIN_EXPONENT 16

/* Writes the digits to the end of a field of size 20 and gives where they begin in it. */
static size_t write_digits(char field[20], uint64_t integer) {
  static const char pairs[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
      "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
      "9899";
  size_t begin = 20;
  for (; integer >= 100; integer /= 100) memcpy(field + (begin -= 2), pairs + integer % 100 * 2, 2);
  if (integer >= 10) memcpy(field + (begin -= 2), pairs + integer * 2, 2);
  else field[--begin] = (char)('0' + integer);
  return begin;
}

size_t number_write_integer(char *to, int64_t integer) {
  char field[20];
  uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
  size_t begin = write_digits(field, magnitude);
  *to = '-';
  memcpy(to + (integer < 0), field + begin, sizeof field - begin);
  return sizeof field - begin + (integer < 0);
}

/* Writes d.ddd * 10^exponent from its digits, of which the last is no zero unless it is the only one. */
static size_t write_decimal(char *to, bool negative, const char *digits, int count, int exponent) {
  char *begin = to;
  if (negative) *to++ = '-';
  if (exponent > MAX_PLAIN_EXPONENT || exponent < MIN_PLAIN_EXPONENT) {
    *to++ = digits[0];
    if (count > 1) *to++ = '.';
    for (int i = 1; i < count; i++) *to++ = digits[i];
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    return (size_t)(to - begin) + number_write_integer(to, abs(exponent));
  }
  /* One digit at least stands on either side of the point. */
  for (int i = exponent < 0 ? exponent : 0; i <= exponent || i < count; i++) {
    if (i == exponent + 1) *to++ = '.';
    *to++ = i >= 0 && i < count ? digits[i] : '0';
    if (i == exponent && i + 1 >= count) *to++ = '.', *to++ = '0';
  }
  return (size_t)(to - begin);
}

/* Writes integer / 10^places, which has no more than MAX_DOUBLE_DIGITS digits. */
static size_t write_scaled(char *to, bool negative, uint64_t integer, int places) {
  char field[20];
  size_t begin = write_digits(field, integer);
  int count = (int)(sizeof field - begin), exponent = count - 1 - places;
  while (count > 1 && field[begin + (size_t)count - 1] == '0') count--;
  return write_decimal(to, negative, field + begin, count, exponent);
}

/* The neighbours of a power of two are not equally far from it. So the nearest decimal of so many digits may be
   beyond the middle between it and the closer neighbour, while the next decimal above is not beyond that
   between it and the other: both writers below try that one too. */

#ifdef WIDE_INTEGERS

/* Gives significand * 2^exponent * 10^places, rounded, for 0 <= places <= MAX_POWER_OF_5 and less than 2^64. */
static uint64_t scale(uint64_t significand, int exponent, int places) {
  uint128 product = (uint128)significand * power_of_5(places);
  int shift = -exponent - places;
  if (shift <= 0) return (uint64_t)(product << -shift);
  return (uint64_t)((product + ((uint128)1 << (shift - 1))) >> shift);
}

/* Finds the fewest digits, as *integer / 10^*places, of a positive double. false: it is too large or small. */
static bool find_shortest(double real, uint64_t *integer, int *places) {
  if (!(real >= 1e-10 && real < 1e15)) return false;
  int exponent;
  uint64_t significand = (uint64_t)ldexp(frexp(real, &exponent), DBL_MANT_DIG);
  exponent -= DBL_MANT_DIG;
  /* log10(2) is 0.30103: this many places make SURE_DIGITS digits or one more. */
  *places = SURE_DIGITS - 1 - (int)floor((exponent + DBL_MANT_DIG - 1) * 0.30103);
  if (scale(significand, exponent, *places) >= (uint64_t)powers_of_10[SURE_DIGITS]) --*places;
  for (int count = SURE_DIGITS;; count++, ++*places) {
    double back;
    *integer = scale(significand, exponent, *places);
    if (count == MAX_DOUBLE_DIGITS) return true;
    if (nearest_quickly(*integer, -*places, &back) && back == real) return true;
    if (nearest_quickly(++*integer, -*places, &back) && back == real) return true;
  }
}

#else

static bool find_shortest(double real, uint64_t *integer, int *places) {
  (void)real, (void)integer, (void)places;
  return false;
}

#endif

/* Whether the digits read back as the double; writes them. */
static bool reads_back(char *to, size_t *length, double real, const char *digits, int count, int exponent) {
  while (count > 1 && digits[count - 1] == '0') count--;
  *length = write_decimal(to, signbit(real), digits, count, exponent);
  to[*length] = '\0';
  struct number number = {0};
  return number_read(to, &number) != NULL && number.real == real;
}

/* Writes any double: tries more and more digits. */
static size_t write_any(char *to, double real) {
  /* The doubles below DBL_MIN are less precise: fewer digits may tell them apart. */
  for (int count = fabs(real) < DBL_MIN ? 1 : SURE_DIGITS;; count++) {
    char text[40], digits[MAX_DOUBLE_DIGITS] = {0};
    snprintf(text, sizeof text, "%.*e", count - 1, fabs(real));
    int found = 0;
    const char *c = text;
    for (; *c != 'e'; c++) /* the point may be anything, depending on the locale */
      if (*c >= '0' && *c <= '9') digits[found++] = *c;
    int exponent = (int)strtol(c + 1, NULL, 10);
    size_t length;
    if (reads_back(to, &length, real, digits, count, exponent) || count == MAX_DOUBLE_DIGITS) return length;
    int last = count - 1;
    while (last > 0 && digits[last] == '9') digits[last--] = '0';
    if (digits[last] == '9') continue;
    digits[last]++;
    if (reads_back(to, &length, real, digits, count, exponent)) return length;
  }
}

size_t number_write_double(char *to, double real) {
  double magnitude = fabs(real);
  if (magnitude < powers_of_10[SURE_DIGITS] && magnitude == floor(magnitude))
    return write_scaled(to, signbit(real), (uint64_t)magnitude, 0);
  uint64_t integer;
  int places;
  if (find_shortest(magnitude, &integer, &places)) return write_scaled(to, signbit(real), integer, places);
  return write_any(to, real);
}
