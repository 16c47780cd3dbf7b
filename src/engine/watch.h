/* Many descriptors, of which one descriptor tells that some can be read: epoll on Linux, kqueue on
   macOS and the BSDs. */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include <stdbool.h>

/* A descriptor that is readable when one of those that are watched is; close ends it. It is closed by
   exec. -1: errno says why. */
int watch_open(void);

/* Watches a descriptor, until it is closed or taken out. owner: what watch_ready gives for it. */
bool watch_add(int watch, int descriptor, void *owner);
void watch_remove(int watch, int descriptor);

/* Puts the owners of descriptors that can be read, or are over, into the array, each once, as far as
   there is room; gives their number. Never blocks. */
int watch_ready(int watch, void **owners, int room);

#endif
