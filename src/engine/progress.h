/* Tells the owner of a call how far what is streamed has come: by events, at most ten in a second. */
#ifndef ENGINE_PROGRESS_H
#define ENGINE_PROGRESS_H

#include "flight.h"

/* From now on, where the call wants to know. */
void progress_begin(struct flight *flight);

/* Now, if that has changed since the last time: at the end of an attempt, and of the call. */
void progress_tell(struct flight *flight);

#endif
