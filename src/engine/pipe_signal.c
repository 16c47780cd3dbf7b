#include "pipe_signal.h"

#include <pthread.h>
#include <stddef.h>

static const int signals[] = {SIGPIPE, SIGXFSZ};
#define SIGNAL_COUNT (sizeof signals / sizeof *signals)

void pipe_signal_hold(struct pipe_signal *held) {
  sigset_t ours, pending;
  sigemptyset(&ours);
  sigpending(&pending);
  for (size_t i = 0; i < SIGNAL_COUNT; i++) {
    sigaddset(&ours, signals[i]);
    held->was_pending[i] = sigismember(&pending, signals[i]) == 1;
  }
  pthread_sigmask(SIG_BLOCK, &ours, &held->before);
}

void pipe_signal_release(const struct pipe_signal *held) {
  sigset_t one, pending;
  sigpending(&pending);
  for (size_t i = 0; i < SIGNAL_COUNT; i++) {
    if (held->was_pending[i] || sigismember(&pending, signals[i]) != 1) continue;
    int signal_number;
    sigemptyset(&one);
    sigaddset(&one, signals[i]);
    sigwait(&one, &signal_number);
  }
  pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
