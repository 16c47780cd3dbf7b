/* The engine: one per process, shared by every client of every Lua state. It owns the connections, the tokens and the calls in flight.

   Someone must drive it: a caller that waits does so itself (no hand-over to another thread, no context switch); when nobody waits but
   something is under way, or a token is due for renewal, the engine's own thread does. After a fork the child has a new, empty engine. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "token.h"
#include "transport.h"

/* Hands a filled-in call over; never blocks on the network, never fails (a failure becomes the call's reply). caller_waits: engine_await
   or a question to the socket of engine_notify follows at once, so that no thread need be woken. After this the request belongs to the engine until CALL_DONE. */
void engine_submit(struct call *call, bool caller_waits);

enum engine_wait_result {
  ENGINE_WAIT_READY,      /* done, asking, or with events to take */
  ENGINE_WAIT_TIMEOUT,
  ENGINE_WAIT_INTERRUPTED /* perhaps by a signal: run Lua's hooks, then wait again */
};

/* Blocks until at least one of the calls is ready, until the deadline (a moment of clock_monotonic_ms; INT64_MAX: none) has passed, or until a
   signal may have been handled: never longer than 0.05 s at a time, whatever the network does. */
enum engine_wait_result engine_await(struct call *const *calls, size_t count, int64_t deadline_ms);

/* Whether the call needs a token from its owner's Lua. Several may do at a time; when one has answered for all, the others ask no longer. */
bool engine_is_asking(struct call *call);

/* Whether engine_await would return ENGINE_WAIT_READY at once. */
bool engine_is_ready(struct call *call);

/* Ends the call as cancelled unless it is done already; returns at once, the reply comes as any other. */
void engine_cancel(struct call *call);

/* The call's own descriptor, readable while the call is ready; made at the first asking, closed with the call. -1: none to be had. */
int engine_call_fd(struct call *call);

/* Answers a call that is asking. Gives its token source a token (copied; lifetime_ms < 0: unknown, kept until refused), which is welcome even when
   the call has ended meanwhile. Or tells this call, or all who wait for that source, that there is none: message is copied. */
void engine_give_token(struct call *call, const char *value, int64_t lifetime_ms);
void engine_refuse_token(struct call *call, const char *message, bool for_all);

/* For a call with a token store, which has no token that serves: has one fetched. Like a token it is welcome even when the call has ended. */
void engine_fetch_token(struct call *call);

/* Whether the call is done, asking, or has events to take. */
bool engine_is_ready(struct call *call);

/* For event loops that can wait for nothing but a socket (see notify.h): where to ask for the call, and by which number. From the first asking on
   the engine's thread drives all the time. false: there is no such socket; number 0: the call is done. */
bool engine_notify(struct call *call, const char **address, uint64_t *number);

/* For a subscriber to that socket: has it told when the submitted call is ready, and gives the
   number by which it is told. 0: the call is ready already, or there is no such socket any more. */
uint64_t engine_subscribe(struct call *call, uint64_t subscriber);

/* The subscriber's waiter for the call was killed: the call is cancelled, unless it is asked for
   on a connection too. */
void engine_unsubscribe(struct call *call);

/* That subscriber's waiter for the call waits no longer: the call goes on, and who waits for it
   after that may have it cancelled in any other way. */
void engine_stop_telling(struct call *call, uint64_t subscriber);

/* Takes the events recorded so far, oldest first; the caller frees each with call_event_free. */
struct call_event *engine_take_events(struct call *call);

#endif
