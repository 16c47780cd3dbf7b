/* While a program's own thread drives, neither a peer that hangs up nor a limit on the size of files must end
   the program: libcurl is told to leave signals alone, and a download into such a file fails. */
#ifndef ENGINE_PIPE_SIGNAL_H
#define ENGINE_PIPE_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

/* What was before. */
struct pipe_signal {
  sigset_t before;
  bool was_pending[2];
};

/* Holds SIGPIPE and SIGXFSZ back from this thread; and lets them through again, but for those that came
   meanwhile. */
void pipe_signal_hold(struct pipe_signal *held);
void pipe_signal_release(const struct pipe_signal *held);

#endif
