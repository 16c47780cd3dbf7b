#include "spare.h"

#include <pthread.h>
#include <string.h>

/* One is in use and one is about to be: more would only hold memory. */
#define SPARES 2
#define GREATEST_CAPACITY (4 << 20)

/* Whoever cannot have the lock at once does without, so that none is ever waited for (in a fork's child it may be locked for good). */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buffer spares[SPARES]; /* data NULL: a free place */

void spare_take(struct buffer *buffer, size_t more) {
  if (buffer->capacity > SPARE_LEAST_CAPACITY || buffer->length + more < SPARE_LEAST_CAPACITY) return;
  if (pthread_mutex_trylock(&mutex) != 0) return;
  struct buffer spare = BUFFER_EMPTY;
  for (size_t i = 0; i < SPARES && spare.data == NULL; i++) {
    spare = spares[i];
    spares[i] = BUFFER_EMPTY;
  }
  pthread_mutex_unlock(&mutex);
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
