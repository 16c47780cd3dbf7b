/* What the driver's code tells the engine about calls; the counterpart of engine.h. All of it takes the engine's mutex. */
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include "call.h"
#include "engine.h"

/* The reply is complete: wakes who waits and drops the engine's reference. */
void engine_call_done(struct call *call);

/* The owner is to answer with a token; or the question is settled. */
void engine_call_asks(struct call *call);
void engine_call_goes_on(struct call *call);

/* Adds a copy of the event (next is ignored); lost when there is no memory. */
void engine_call_event(struct call *call, const struct call_event *event);

#endif
