#include "pipe_signal.h"

#include <pthread.h>

void pipe_signal_hold(struct pipe_signal *held) {
  sigset_t pipe_only, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  held->was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_only, &held->before);
}

void pipe_signal_release(const struct pipe_signal *held) {
  sigset_t pipe_only, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  if (!held->was_pending && sigismember(&pending, SIGPIPE) == 1) {
    int signal_number;
    sigwait(&pipe_only, &signal_number);
  }
  pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
