#include "sha256.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 64

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, int by) {
  return word >> by | word << (32 - by);
}

/* Works one block into the state. */
static void absorb(uint32_t state[8], const unsigned char *block) {
  uint32_t schedule[64], work[8];
  for (int i = 0; i < 16; i++, block += 4)
    schedule[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (int i = 16; i < 64; i++) {
    uint32_t early = schedule[i - 15], late = schedule[i - 2];
    schedule[i] = schedule[i - 16] + (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) + schedule[i - 7] +
                  (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
  }
  memcpy(work, state, sizeof work);
  for (int i = 0; i < 64; i++) {
    uint32_t a = work[0], e = work[4];
    uint32_t one = work[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & work[5]) ^ (~e & work[6])) + round_constants[i] + schedule[i];
    uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & work[1]) ^ (a & work[2]) ^ (work[1] & work[2]));
    memmove(work + 1, work, 7 * sizeof *work);
    work[4] += one;
    work[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += work[i];
}

void sha256_hex(const void *bytes, size_t length, char hex[SHA256_HEX_SIZE]) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const unsigned char *text = bytes;
  size_t left = length;
  for (; left >= BLOCK; left -= BLOCK, text += BLOCK) absorb(state, text);

  /* What is left, a one bit, zeros, and the length in bits at the end of a block. */
  unsigned char last[2 * BLOCK] = {0};
  size_t size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
  if (left > 0) memcpy(last, text, left);
  last[left] = 0x80;
  for (size_t i = 0; i < 8; i++) last[size - 1 - i] = (unsigned char)((uint64_t)length * 8 >> 8 * i);
  for (size_t at = 0; at < size; at += BLOCK) absorb(state, last + at);

  for (size_t i = 0; i < 64; i++) hex[i] = "0123456789abcdef"[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
  hex[64] = '\0';
}
