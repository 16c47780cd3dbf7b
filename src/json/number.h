/* Numbers to text and back: exact, correctly rounded, the same in every locale. */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum number_kind {
  NUMBER_INTEGER,     /* no fraction, no exponent, in int64: see integer */
  NUMBER_BIG_INTEGER, /* no fraction, no exponent, but beyond int64: real is the nearest double */
  NUMBER_REAL         /* all else, and "-0": real is the nearest double, infinite if there is none */
};

struct number {
  enum number_kind kind;
  int64_t integer;
  double real;
};

/* Reads the number at text, which a byte that cannot go on a number (NUL, say) must follow, and gives the
   place behind it. NULL: there is no JSON number. */
const char *number_read(const char *text, struct number *number);

/* Room for any number's text. */
#define NUMBER_MAX_LENGTH 32

/* Write the number to `to`, NUMBER_MAX_LENGTH bytes, without a NUL, and give the length. */
size_t number_write_integer(char *to, int64_t integer);

/* The fewest digits that read back as the same double, with a point or an exponent, so that it does not
   read as an integer: 1.0, 0.1, 1e+100. The double must be finite. */
size_t number_write_double(char *to, double real);

#endif
