/* Looking at many bytes of a string at once: SSE2 where there is any, else a portable way. */
#ifndef JSON_BLOCK_H
#define JSON_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A byte is plain if it stands for itself in a JSON string: ASCII, but for quotes, backslashes and control
   characters. */
static inline bool block_is_plain(char byte) {
  return (signed char)byte >= ' ' && byte != '"' && byte != '\\';
}

#if defined __SSE2__ && !defined JSON_PORTABLE

#include <emmintrin.h>

#define BLOCK_SIZE 16

static inline __m128i block_load(const char *text) {
  return _mm_loadu_si128((const __m128i *)(const void *)text);
}

/* Bit i of the result is set if text[i] is not plain. */
static inline unsigned block_special(const char *text) {
  __m128i block = block_load(text);
  /* Bytes from 0x80 are negative, thus less than a space as well. */
  __m128i special = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(' ')),
                                 _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                              _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
  return (unsigned)_mm_movemask_epi8(special);
}

/* Bit i of the result is set if text[i] is no space. */
static inline unsigned block_nonspace(const char *text) {
  __m128i space = _mm_cmpeq_epi8(block_load(text), _mm_set1_epi8(' '));
  return (unsigned)_mm_movemask_epi8(space) ^ 0xFFFF;
}

/* Whether the first `length` bytes, BLOCK_SIZE at most, of two blocks are equal. */
static inline bool block_equal(const char *one, const char *other, size_t length) {
  __m128i equal = _mm_cmpeq_epi8(block_load(one), block_load(other));
  return (~(unsigned)_mm_movemask_epi8(equal) & ((1u << length) - 1)) == 0;
}

#else

#define BLOCK_SIZE 8

static inline unsigned block_special(const char *text) {
  uint64_t word, ones = UINT64_C(0x0101010101010101);
  memcpy(&word, text, sizeof word);
  uint64_t quotes = word ^ ones * '"', backslashes = word ^ ones * '\\';
  /* A byte's highest bit is set here if it is >= 0x80, < ' ', a quote or a backslash; and perhaps if such a
     byte precedes it, which does no harm: it only says that a closer look is due. */
  uint64_t found = word | ((word - ones * ' ') & ~word) | ((quotes - ones) & ~quotes) |
                   ((backslashes - ones) & ~backslashes);
  unsigned special = 0;
  if ((found & ones << 7) != 0)
    for (unsigned i = 0; i < BLOCK_SIZE; i++) special |= (unsigned)!block_is_plain(text[i]) << i;
  return special;
}

static inline unsigned block_nonspace(const char *text) {
  unsigned nonspace = 0;
  for (unsigned i = 0; i < BLOCK_SIZE; i++) nonspace |= (unsigned)(text[i] != ' ') << i;
  return nonspace;
}

static inline bool block_equal(const char *one, const char *other, size_t length) {
  return memcmp(one, other, length) == 0;
}

#endif

/* The number of the lowest bit that is set, BLOCK_SIZE if none is. */
static inline size_t block_first(unsigned bits) {
  return (size_t)__builtin_ctz(bits | 1u << BLOCK_SIZE);
}

#endif
