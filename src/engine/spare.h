/* Large buffers, kept to be used again: fresh memory for a page of a megabyte costs some 300 page faults. */
#ifndef ENGINE_SPARE_H
#define ENGINE_SPARE_H

#include <stddef.h>

#include "buffer.h"

#define SPARE_LEAST_CAPACITY 262144

/* To be called before `more` bytes are appended: where that makes the buffer large, a spare one takes its place, if there is one. Any
   thread. */
void spare_take(struct buffer *buffer, size_t more);

/* Frees the bytes, or keeps them as a spare, and leaves the buffer empty. Any thread. */
void spare_give(struct buffer *buffer);

#endif
