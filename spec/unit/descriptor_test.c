/* Run twice: as it is on Linux, and as it is elsewhere. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/descriptor.h"

static int is_readable(struct descriptor descriptor) {
  struct pollfd poll_for = {.fd = descriptor.reader, .events = POLLIN};
  return poll(&poll_for, 1, 0) == 1 && poll_for.revents == POLLIN;
}

static void is_readable_from_a_signal_until_calmed(void **state) {
  (void)state;
  struct descriptor descriptor = descriptor_new();
  assert_true(descriptor.reader >= 0);
  for (int round = 0; round < 3; round++) {
    assert_false(is_readable(descriptor));
    for (int signals = 0; signals <= round; signals++) descriptor_signal(descriptor);
    assert_true(is_readable(descriptor));
    assert_true(is_readable(descriptor));
    descriptor_calm(descriptor);
  }
  assert_false(is_readable(descriptor));
  descriptor_close(descriptor);
}

/* More than a pipe holds: neither a signal nor what calms it may wait for the other. */
static void any_number_of_signals_waits_for_nothing(void **state) {
  (void)state;
  struct descriptor descriptor = descriptor_new();
  for (int i = 0; i < 100000; i++) descriptor_signal(descriptor);
  assert_true(is_readable(descriptor));
  descriptor_calm(descriptor);
  assert_false(is_readable(descriptor));
  descriptor_close(descriptor);
}

static void is_closed_whole_and_not_passed_on(void **state) {
  (void)state;
  struct descriptor descriptor = descriptor_new();
  assert_true(fcntl(descriptor.reader, F_GETFD) & FD_CLOEXEC);
  assert_true(fcntl(descriptor.writer, F_GETFD) & FD_CLOEXEC);
  descriptor_close(descriptor);
  assert_int_equal(fcntl(descriptor.reader, F_GETFD), -1);
  assert_int_equal(fcntl(descriptor.writer, F_GETFD), -1);
}

static void none_is_left_alone(void **state) {
  (void)state;
  descriptor_signal(NO_DESCRIPTOR);
  descriptor_close(NO_DESCRIPTOR);
}

static void a_pipe_waits_for_nothing(void **state) {
  (void)state;
  int ends[2];
  char byte = 0;
  assert_true(descriptor_pipe(ends));
  assert_int_equal(read(ends[0], &byte, 1), -1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  assert_int_equal(byte, 'x');
  for (int i = 0; i < 2; i++) {
    assert_true(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
    close(ends[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_readable_from_a_signal_until_calmed),
      cmocka_unit_test(any_number_of_signals_waits_for_nothing),
      cmocka_unit_test(is_closed_whole_and_not_passed_on),
      cmocka_unit_test(none_is_left_alone),
      cmocka_unit_test(a_pipe_waits_for_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
