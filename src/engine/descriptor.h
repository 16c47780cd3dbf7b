/* Descriptors that say "look": readable from a signal until they are calmed. For poll and any event loop. */
#ifndef ENGINE_DESCRIPTOR_H
#define ENGINE_DESCRIPTOR_H

#include <stdbool.h>

/* Its ends; the same number where one descriptor does. Both are -1 if it is none. */
struct descriptor {
  int reader; /* the one to wait for */
  int writer;
};

#define NO_DESCRIPTOR ((struct descriptor){-1, -1})

/* A new one, the caller's to close; NO_DESCRIPTOR: none to be had. It is not for programs that the process runs. */
struct descriptor descriptor_new(void);

/* Closes both ends; none is left alone. */
void descriptor_close(struct descriptor descriptor);

/* Makes it readable; none is left alone. Any thread. */
void descriptor_signal(struct descriptor descriptor);

/* Makes it readable no longer. */
void descriptor_calm(struct descriptor descriptor);

/* A pipe whose ends wait for nothing and are not for programs that the process runs: ends[0] to read,
   ends[1] to write. False: none to be had, errno says why. */
bool descriptor_pipe(int ends[2]);

#endif
