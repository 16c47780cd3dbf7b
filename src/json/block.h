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

static inline size_t block_plain_in(__m128i block) {
  /* Bytes from 0x80 are negative, thus less than a space as well. */
  __m128i special = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(' ')),
                                 _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                              _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
  return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(special) | 1u << BLOCK_SIZE);
}

/* Gives how many plain bytes the BLOCK_SIZE bytes at text begin with. */
static inline size_t block_plain(const char *text) {
  return block_plain_in(_mm_loadu_si128((const __m128i *)(const void *)text));
}

/* The same, and copies the block. */
static inline size_t block_copy(char *to, const char *text) {
  __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
  _mm_storeu_si128((__m128i *)(void *)to, block);
  return block_plain_in(block);
}

/* Whether the first `length` bytes, BLOCK_SIZE at most, of two blocks are equal. */
static inline bool block_equal(const char *one, const char *other, size_t length) {
  __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)one),
                                 _mm_loadu_si128((const __m128i *)(const void *)other));
  return (~(unsigned)_mm_movemask_epi8(equal) & ((1u << length) - 1)) == 0;
}

#else

#define BLOCK_SIZE 8

/* The highest bit of a byte of the result is set if some byte of the word is below `least`, 128 at most. */
static inline uint64_t block_below(uint64_t word, uint64_t least) {
  return (word - UINT64_C(0x0101010101010101) * least) & ~word;
}

static inline size_t block_plain(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t special = block_below(word, ' ') | block_below(word ^ ones * '"', 1) |
                     block_below(word ^ ones * '\\', 1) | word;
  if ((special & ones << 7) == 0) return BLOCK_SIZE;
  size_t plain = 0;
  while (plain < BLOCK_SIZE && block_is_plain(text[plain])) plain++;
  return plain;
}

static inline size_t block_copy(char *to, const char *text) {
  memcpy(to, text, BLOCK_SIZE);
  return block_plain(text);
}

static inline bool block_equal(const char *one, const char *other, size_t length) {
  return memcmp(one, other, length) == 0;
}

#endif
#endif
