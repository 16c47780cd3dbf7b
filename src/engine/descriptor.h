/* Descriptors that say "look": readable from a signal until they are calmed. For poll and any event loop. */
#ifndef ENGINE_DESCRIPTOR_H
#define ENGINE_DESCRIPTOR_H

/* A new one, the caller's to close; -1: none to be had. It is not for programs that the process runs. */
int descriptor_new(void);

/* Makes it readable; -1 is left alone. Any thread. */
void descriptor_signal(int descriptor);

/* Makes it readable no longer. */
void descriptor_calm(int descriptor);

#endif
