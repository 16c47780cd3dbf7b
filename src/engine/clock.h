/* The clocks. All in milliseconds. */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* For deadlines and pauses: never jumps. */
static inline int64_t clock_monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For the age of tokens: goes on while the machine is suspended, and never jumps. */
static inline int64_t clock_boot_ms(void) {
#ifdef CLOCK_BOOTTIME
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
#else
  return clock_monotonic_ms();
#endif
}

#endif
