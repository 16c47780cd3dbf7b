#include "timer.h"

#include <stdlib.h>

static void put(struct timers *timers, struct timer *timer, size_t place) {
  timers->heap[place] = timer;
  timer->place = place;
}

/* Moves the timer at place up or down to where the heap is in order again. */
static void settle(struct timers *timers, size_t place) {
  struct timer *timer = timers->heap[place];
  while (place > 1 && timer->due < timers->heap[place / 2]->due) {
    put(timers, timers->heap[place / 2], place);
    place /= 2;
  }
  for (;;) {
    size_t child = place * 2;
    if (child > timers->count) break;
    if (child < timers->count && timers->heap[child + 1]->due < timers->heap[child]->due) child++;
    if (timer->due <= timers->heap[child]->due) break;
    put(timers, timers->heap[child], place);
    place = child;
  }
  put(timers, timer, place);
}

bool timers_set(struct timers *timers, struct timer *timer, int64_t due) {
  if (timer->place == 0) {
    if (timers->count + 2 > timers->capacity) {
      size_t capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
      struct timer **heap = realloc(timers->heap, capacity * sizeof(struct timer *));
      if (heap == NULL) return false;
      timers->heap = heap;
      timers->capacity = capacity;
    }
    put(timers, timer, ++timers->count);
  }
  timer->due = due;
  settle(timers, timer->place);
  return true;
}

void timers_clear(struct timers *timers, struct timer *timer) {
  if (timer->place == 0) return;
  size_t place = timer->place;
  timer->place = 0;
  struct timer *last = timers->heap[timers->count--];
  if (last == timer) return;
  put(timers, last, place);
  settle(timers, place);
}

int64_t timers_next(const struct timers *timers) {
  return timers->count == 0 ? INT64_MAX : timers->heap[1]->due;
}

void timers_run(struct timers *timers, int64_t now) {
  while (timers->count > 0 && timers->heap[1]->due <= now) {
    struct timer *timer = timers->heap[1];
    timers_clear(timers, timer);
    timer->expired(timer->owner);
  }
}

void timers_free(struct timers *timers) {
  free(timers->heap);
  *timers = (struct timers){0};
}
