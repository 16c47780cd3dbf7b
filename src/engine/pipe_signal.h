/* While a program's own thread drives, a peer that hangs up must not end the program: libcurl is told to leave signals alone. */
#ifndef ENGINE_PIPE_SIGNAL_H
#define ENGINE_PIPE_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

/* What was before. */
struct pipe_signal {
  sigset_t before;
  bool was_pending;
};

/* Holds SIGPIPE back from this thread; and lets it through again, but for one that came meanwhile. */
void pipe_signal_hold(struct pipe_signal *held);
void pipe_signal_release(const struct pipe_signal *held);

#endif
