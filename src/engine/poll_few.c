#include "poll_few.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

#define LONGEST_MS 10
/* A process with so few descriptors that this many transfers are too many does not get that far. */
#define ALWAYS_FEW 16

bool poll_few_is_due(size_t transfers) {
  struct rlimit limit;
  if (transfers < ALWAYS_FEW) return false;
  /* A transfer that is connecting may have two; and there are libcurl's own and the notifier's. */
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         2 * transfers + 2 > limit.rlim_cur;
}

bool poll_few(CURLM *multi, int descriptor, bool *is_ready, int timeout_ms) {
  struct pollfd entries[FD_SETSIZE + 1] = {{.fd = descriptor, .events = POLLIN}};
  nfds_t count = 1;
  fd_set readable, writable, others;
  int highest = -1;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&others);
  if (curl_multi_fdset(multi, &readable, &writable, &others, &highest) != CURLM_OK) highest = -1;
  for (int i = 0; i <= highest; i++) {
    short events =
        (short)((FD_ISSET(i, &readable) ? POLLIN : 0) | (FD_ISSET(i, &writable) ? POLLOUT : 0));
    if (events != 0) entries[count++] = (struct pollfd){.fd = i, .events = events};
  }
  long left_ms = -1; /* until libcurl's own timers */
  curl_multi_timeout(multi, &left_ms);
  if (timeout_ms > LONGEST_MS) timeout_ms = LONGEST_MS;
  if (left_ms >= 0 && left_ms < timeout_ms) timeout_ms = (int)left_ms;
  int ready = poll(entries, count, timeout_ms);
  if (ready < 0) {
    /* Too many even so, or a signal. There is no spinning, and the descriptor may have something. */
    poll(NULL, 0, LONGEST_MS);
    *is_ready = descriptor >= 0;
    return false;
  }
  *is_ready = entries[0].revents != 0;
  return ready > 0;
}
