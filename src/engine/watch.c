#include "watch.h"

#include <unistd.h>

#define AT_ONCE 64

#if defined __linux__

#include <sys/epoll.h>

int watch_open(void) {
  return epoll_create1(EPOLL_CLOEXEC);
}

bool watch_add(int watch, int descriptor, void *owner) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
  return epoll_ctl(watch, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void watch_remove(int watch, int descriptor) {
  epoll_ctl(watch, EPOLL_CTL_DEL, descriptor, NULL);
}

int watch_ready(int watch, void **owners, int room) {
  struct epoll_event events[AT_ONCE];
  int count = epoll_wait(watch, events, room < AT_ONCE ? room : AT_ONCE, 0);
  for (int i = 0; i < count; i++) owners[i] = events[i].data.ptr;
  return count < 0 ? 0 : count;
}

#else

#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
/* After the types that it needs. */
#include <sys/event.h>
#include <sys/time.h>

int watch_open(void) {
  int watch = kqueue();
  if (watch >= 0) fcntl(watch, F_SETFD, FD_CLOEXEC);
  return watch;
}

/* Adds a descriptor or takes it out. */
static bool change(int watch, int descriptor, unsigned short action, void *owner) {
  struct kevent event;
  /* NetBSD's owner is an intptr_t, the others' a pointer. */
  EV_SET(&event, (uintptr_t)descriptor, EVFILT_READ, action, 0, 0, owner);
  return kevent(watch, &event, 1, NULL, 0, NULL) == 0;
}

bool watch_add(int watch, int descriptor, void *owner) {
  return change(watch, descriptor, EV_ADD, owner);
}

void watch_remove(int watch, int descriptor) {
  change(watch, descriptor, EV_DELETE, NULL);
}

int watch_ready(int watch, void **owners, int room) {
  struct kevent events[AT_ONCE];
  struct timespec at_once = {0, 0};
  int count = kevent(watch, NULL, 0, events, room < AT_ONCE ? room : AT_ONCE, &at_once);
  for (int i = 0; i < count; i++) owners[i] = (void *)events[i].udata;
  return count < 0 ? 0 : count;
}

#endif
