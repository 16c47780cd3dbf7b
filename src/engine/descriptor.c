#include "descriptor.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
int descriptor_new(void) {
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
#else
#include <sys/socket.h>
/* Written to and read from at the same end: a datagram socket that is its own peer. */
int descriptor_new(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return -1;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  close(ends[1]);
  return ends[0];
}
#endif

void descriptor_signal(int descriptor) {
  static const uint64_t one = 1;
  /* A full counter is readable already. */
  if (descriptor >= 0 && write(descriptor, &one, sizeof one) < 0) return;
}

void descriptor_calm(int descriptor) {
  uint64_t count;
  while (read(descriptor, &count, sizeof count) > 0) continue;
}
