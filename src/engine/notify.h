/* Tells event loops that can wait for nothing but a socket (nginx's cosockets) when a call is ready: by a unix socket that is this process's own.

     in   "NUMBER MILLISECONDS\n"   the waiter asks for a call and says how long it waits (0: as long as it takes)
     out  "1\n"                     it is ready (done, or in need of its owner), or over and forgotten: look at it
     out  "0\n"                     the time is over
     in   end of file               the waiter was killed: the call it waits for is cancelled, unless others wait for it too

   One question at a time on a connection and exactly one answer to each, so that a connection may be kept for the next question.

   A connection for each wait costs more than most of what else is done for a call. One connection
   serves for many waits as a subscription:

     in   "subscribe\n"
     out  "ID\n"                    by this number notify_subscribe knows the subscriber
     out  "NUMBER NUMBER …\n"       the calls that have become ready since notify_subscribe
     out  "\n"                      NOTIFY_TICK_MS have passed: who of its waiters is there still?
     in   anything, or end of file  the subscriber hears no more; its calls go on

   Whoever drives the engine serves all this; what is for other threads says so. */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "timer.h"

struct notify;

#define NOTIFY_TICK_MS 250

/* Makes the socket. On Linux it leaves no file behind; elsewhere its file, in a folder of its own, goes
   with notify_close. timers: the driver's. NULL: none is to be had. For any thread. */
struct notify *notify_open(struct timers *timers);

/* Closes everything; waiters see an end of file. NULL is allowed. */
void notify_close(struct notify *notify);

/* Where to connect to, as nginx writes it: "unix:/…". Valid as long as notify is. For any
   thread. */
const char *notify_address(const struct notify *notify);

/* The number by which a submitted call is asked for, the same each time; 0: it is done. For any
   thread. */
uint64_t notify_number(struct notify *notify, struct call *call);

/* Has the subscriber of that ID told once, when the submitted call becomes ready; in place of
   another that was to be told. Gives the number by which the call is told; 0: it is ready already,
   nobody is told. A subscriber that has hung up is told nothing. For any thread. */
uint64_t notify_subscribe(struct notify *notify, struct call *call, uint64_t subscriber);

/* Takes that back, if the call has not been told meanwhile. Gives whether no connection asks for
   the call either. For any thread. */
bool notify_unsubscribe(struct notify *notify, struct call *call);

/* The same where the call is wanted still: takes it back if it is that subscriber's. For any
   thread. */
void notify_stop_telling(struct notify *notify, struct call *call, uint64_t subscriber);

/* A descriptor that is readable when there is something to serve; and the serving, which never blocks. */
int notify_descriptor(const struct notify *notify);
void notify_serve(struct notify *notify);

/* Those who wait for the call, which is ready, are to be answered by the next notify_flush: all at once, so that an event loop that is
   woken finds them all. */
void notify_ready(struct notify *notify, struct call *call);
void notify_flush(struct notify *notify);

/* The call is done: its number is no longer known. */
void notify_forget(struct notify *notify, struct call *call);

#endif
