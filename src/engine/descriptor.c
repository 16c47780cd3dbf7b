#include "descriptor.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#if defined __linux__ && !defined UIPATH_PORTABLE

#include <sys/eventfd.h>

struct descriptor descriptor_new(void) {
  int both = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return (struct descriptor){both, both};
}

bool descriptor_pipe(int ends[2]) {
  return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
}

#else

/* Both ends are kept: what is written to a pipe or a socket whose other end is closed is refused, and
   never becomes readable. */
struct descriptor descriptor_new(void) {
  int ends[2];
  if (!descriptor_pipe(ends)) return NO_DESCRIPTOR;
  return (struct descriptor){ends[0], ends[1]};
}

bool descriptor_pipe(int ends[2]) {
  if (pipe(ends) != 0) return false;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  }
  return true;
}

#endif

void descriptor_close(struct descriptor descriptor) {
  if (descriptor.reader >= 0) close(descriptor.reader);
  if (descriptor.writer >= 0 && descriptor.writer != descriptor.reader) close(descriptor.writer);
}

void descriptor_signal(struct descriptor descriptor) {
  static const uint64_t one = 1;
  /* A full counter, or pipe, is readable already. */
  if (descriptor.writer >= 0 && write(descriptor.writer, &one, sizeof one) < 0) return;
}

void descriptor_calm(struct descriptor descriptor) {
  uint64_t count;
  while (read(descriptor.reader, &count, sizeof count) > 0) continue;
}
