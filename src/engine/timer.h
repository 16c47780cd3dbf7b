/* A set of timers, the earliest first: a binary heap of pointers into their owners. */
#ifndef ENGINE_TIMER_H
#define ENGINE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
  int64_t due;                  /* milliseconds; the clock is the owner's matter */
  void (*expired)(void *owner); /* called by timers_run, the timer is no longer set then */
  void *owner;
  size_t place;                 /* in the heap, from 1; 0: not set */
};

struct timers {
  struct timer **heap; /* heap[1 .. count] */
  size_t count;
  size_t capacity;
};

/* Sets a timer (again). false: no memory, the timer is as it was. */
bool timers_set(struct timers *timers, struct timer *timer, int64_t due);

/* Takes a timer out; nothing happens if it is not set. */
void timers_clear(struct timers *timers, struct timer *timer);

/* When the earliest is due; INT64_MAX: there is none. */
int64_t timers_next(const struct timers *timers);

/* Calls all that are due at `now`. They may set and clear timers. */
void timers_run(struct timers *timers, int64_t now);

void timers_free(struct timers *timers);

#endif
