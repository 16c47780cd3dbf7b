#include "spare.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* One is in use and one is about to be: more would only hold memory. */
#define SPARES 2
#define GREATEST_CAPACITY (4 << 20)
/* Of a new one: as much as a huge page holds where there are some. */
#define NEW_CAPACITY (2 << 20)

/* Whoever cannot have the lock at once does without, so that none is ever waited for (in a fork's child it may be locked for good). */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buffer spares[SPARES]; /* data NULL: a free place */

/* A kept one, or one with no memory. */
static struct buffer take_kept(void) {
  struct buffer spare = BUFFER_EMPTY;
  if (pthread_mutex_trylock(&mutex) != 0) return spare;
  for (size_t i = 0; i < SPARES && spare.data == NULL; i++) {
    spare = spares[i];
    spares[i] = BUFFER_EMPTY;
  }
  pthread_mutex_unlock(&mutex);
  return spare;
}

/* A new one, in one piece of memory rather than in 512 as far as the system can; without memory it has none. */
static struct buffer new_large(void) {
  struct buffer large = {.data = aligned_alloc(NEW_CAPACITY, NEW_CAPACITY), .capacity = NEW_CAPACITY};
  if (large.data == NULL) return BUFFER_EMPTY;
#ifdef MADV_HUGEPAGE
  madvise(large.data, NEW_CAPACITY, MADV_HUGEPAGE);
#endif
  return large;
}

void spare_take(struct buffer *buffer, size_t more) {
  if (buffer->capacity > SPARE_LEAST_CAPACITY || buffer->length + more < SPARE_LEAST_CAPACITY) return;
  struct buffer spare = take_kept();
  if (spare.data == NULL) spare = new_large();
  if (spare.data == NULL) return;
  spare.length = buffer->length;
  if (buffer->length > 0) memcpy(spare.data, buffer->data, buffer->length + 1);
  buffer_free(buffer);
  *buffer = spare;
}

void spare_give(struct buffer *buffer) {
  if (buffer->capacity > SPARE_LEAST_CAPACITY && buffer->capacity <= GREATEST_CAPACITY && pthread_mutex_trylock(&mutex) == 0) {
    for (size_t i = 0; i < SPARES && buffer->data != NULL; i++) {
      if (spares[i].data != NULL) continue;
      spares[i] = *buffer;
      *buffer = BUFFER_EMPTY;
    }
    pthread_mutex_unlock(&mutex);
  }
  buffer_free(buffer);
}
