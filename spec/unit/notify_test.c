/* The socket on which event loops learn that their calls are ready: its questions, answers and ends. Calls here belong to no engine. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/clock.h"
#include "../../src/engine/notify.h"

struct fixture {
  struct timers timers;
  struct notify *notify;
};

static int begin(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (fixture == NULL) return -1;
  fixture->notify = notify_open(&fixture->timers);
  *state = fixture;
  return fixture->notify == NULL ? -1 : 0;
}

static int end(void **state) {
  struct fixture *fixture = *state;
  notify_close(fixture->notify);
  timers_free(&fixture->timers);
  free(fixture);
  return 0;
}

static struct call *new_call(enum call_phase phase) {
  struct call *call = call_new();
  assert_non_null(call);
  atomic_store(&call->phase, (int)phase);
  return call;
}

static int connect_to(const struct fixture *fixture) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", notify_address(fixture->notify) + strlen("unix:"));
  int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(socket_ >= 0);
  assert_int_equal(connect(socket_, (struct sockaddr *)&name, sizeof name), 0);
  notify_serve(fixture->notify); /* accepts */
  return socket_;
}

static void say(const struct fixture *fixture, int socket_, const char *text) {
  assert_int_equal(send(socket_, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
  notify_serve(fixture->notify);
}

static void ask(const struct fixture *fixture, int socket_, uint64_t number, int milliseconds) {
  char question[64];
  snprintf(question, sizeof question, "%llu %d\n", (unsigned long long)number, milliseconds);
  say(fixture, socket_, question);
}

/* What has come: "1", "0", "end" or "" for nothing. */
static const char *heard(int socket_) {
  static char answer[2];
  char bytes[8];
  ssize_t got = recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return "";
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return "end";
  assert_int_equal(got, 2);
  assert_int_equal(bytes[1], '\n');
  answer[0] = bytes[0];
  return answer;
}

static void a_waiter_is_told_when_the_call_is_ready(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  uint64_t number = notify_number(fixture->notify, call);
  assert_true(number != 0);
  assert_true(notify_number(fixture->notify, call) == number);
  int waiter = connect_to(fixture);
  ask(fixture, waiter, number, 0);
  assert_string_equal(heard(waiter), "");
  atomic_store(&call->has_events, true);
  notify_ready(fixture->notify, call);
  assert_string_equal(heard(waiter), "");
  notify_flush(fixture->notify);
  assert_string_equal(heard(waiter), "1");
  /* Once for each question. */
  notify_ready(fixture->notify, call);
  notify_flush(fixture->notify);
  assert_string_equal(heard(waiter), "");
  assert_int_equal(atomic_load(&call->references), 1);
  close(waiter);
  notify_forget(fixture->notify, call);
  call_release(call);
}

static void a_call_that_is_ready_or_over_is_answered_at_once(void **state) {
  struct fixture *fixture = *state;
  struct call *eventful = new_call(CALL_ACTIVE), *done = new_call(CALL_DONE), *over = new_call(CALL_ACTIVE);
  int waiter = connect_to(fixture);
  atomic_store(&eventful->has_events, true);
  ask(fixture, waiter, notify_number(fixture->notify, eventful), 0);
  assert_string_equal(heard(waiter), "1");
  assert_true(notify_number(fixture->notify, done) == 0);
  uint64_t number = notify_number(fixture->notify, over);
  atomic_store(&over->phase, CALL_DONE);
  notify_forget(fixture->notify, over);
  ask(fixture, waiter, number, 0);
  assert_string_equal(heard(waiter), "1");
  ask(fixture, waiter, 987654321, 0);
  assert_string_equal(heard(waiter), "1");
  close(waiter);
  notify_forget(fixture->notify, eventful);
  call_release(eventful);
  call_release(done);
  call_release(over);
}

static void time_passes_for_a_waiter_and_not_for_the_call(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  uint64_t number = notify_number(fixture->notify, call);
  int waiter = connect_to(fixture);
  ask(fixture, waiter, number, 5000);
  int64_t now = clock_monotonic_ms();
  timers_run(&fixture->timers, now + 4000);
  assert_string_equal(heard(waiter), "");
  timers_run(&fixture->timers, now + 6000);
  assert_string_equal(heard(waiter), "0");
  assert_int_equal(call_phase(call), CALL_ACTIVE);
  /* The connection serves for the next question, and the answer to this one does not come late. */
  ask(fixture, waiter, number, 5000);
  assert_string_equal(heard(waiter), "");
  notify_ready(fixture->notify, call);
  notify_flush(fixture->notify);
  assert_string_equal(heard(waiter), "1");
  assert_true(timers_next(&fixture->timers) == INT64_MAX);
  close(waiter);
  notify_forget(fixture->notify, call);
  call_release(call);
}

static void the_last_waiter_that_hangs_up_cancels_the_call(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  uint64_t number = notify_number(fixture->notify, call);
  int one = connect_to(fixture), other = connect_to(fixture);
  ask(fixture, one, number, 0);
  ask(fixture, other, number, 1000);
  close(one);
  notify_serve(fixture->notify);
  assert_int_equal(call_phase(call), CALL_ACTIVE);
  close(other);
  notify_serve(fixture->notify);
  assert_int_equal(call_phase(call), CALL_DONE);
  assert_int_equal(call->reply.error, CALL_CANCELLED);
  assert_int_equal(atomic_load(&call->references), 1);
  assert_true(timers_next(&fixture->timers) == INT64_MAX);
  notify_forget(fixture->notify, call);
  call_release(call);
}

static void a_connection_without_a_question_may_end(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  uint64_t number = notify_number(fixture->notify, call);
  int waiter = connect_to(fixture);
  ask(fixture, waiter, number, 0);
  notify_ready(fixture->notify, call);
  /* Ready but not told yet: no reason to cancel. */
  close(waiter);
  notify_serve(fixture->notify);
  notify_flush(fixture->notify);
  assert_int_equal(call_phase(call), CALL_ACTIVE);
  notify_forget(fixture->notify, call);
  call_release(call);
}

static void what_is_no_question_ends_the_connection(void **state) {
  struct fixture *fixture = *state;
  static const char *const nonsense[] = {"x\n", "1\n", "1 2 3\n", " 1 2\n", "1 -2\n", "12345678901234567890 1\n", "1 1\n1 1\n",
                                         "11111111111111111111111111111111111111111111111111111111111111"};
  for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
    int waiter = connect_to(fixture);
    say(fixture, waiter, nonsense[i]);
    assert_string_equal(heard(waiter), "end");
    close(waiter);
  }
  int waiter = connect_to(fixture);
  say(fixture, waiter, "77 ");
  assert_string_equal(heard(waiter), "");
  say(fixture, waiter, "0\n");
  assert_string_equal(heard(waiter), "1");
  close(waiter);
}

static void numbers_that_share_a_bucket_are_told_apart(void **state) {
  struct fixture *fixture = *state;
  enum { COUNT = 2100 };
  static struct call *calls[COUNT];
  int waiter = connect_to(fixture);
  for (int i = 0; i < COUNT; i++) {
    calls[i] = new_call(CALL_ACTIVE);
    atomic_store(&calls[i]->has_events, i == 5);
    assert_true(notify_number(fixture->notify, calls[i]) == (uint64_t)i + 1);
  }
  ask(fixture, waiter, 6, 0);
  assert_string_equal(heard(waiter), "1");
  notify_forget(fixture->notify, calls[1029]);
  ask(fixture, waiter, 1030, 0);
  assert_string_equal(heard(waiter), "1");
  ask(fixture, waiter, 2054, 0);
  assert_string_equal(heard(waiter), "");
  for (int i = 0; i < COUNT; i++) {
    notify_ready(fixture->notify, calls[i]);
    notify_forget(fixture->notify, calls[i]);
  }
  notify_flush(fixture->notify);
  assert_string_equal(heard(waiter), "1");
  for (int i = 0; i < COUNT; i++) call_release(calls[i]);
  close(waiter);
}

/* The same for a subscriber: all that has come, a line's end as ";"; "end", "" for nothing. */
static const char *news(int socket_) {
  static char lines[200];
  ssize_t got = recv(socket_, lines, sizeof lines - 1, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return "";
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return "end";
  lines[got < 0 ? 0 : got] = '\0';
  for (char *end; (end = strchr(lines, '\n')) != NULL;) *end = ';';
  return lines;
}

static int subscribe(const struct fixture *fixture, const char *id) {
  int subscriber = connect_to(fixture);
  say(fixture, subscriber, "subscribe\n");
  assert_string_equal(news(subscriber), id);
  return subscriber;
}

static void end_call(const struct fixture *fixture, struct call *call) {
  atomic_store(&call->phase, CALL_DONE);
  notify_forget(fixture->notify, call);
  notify_ready(fixture->notify, call);
  assert_int_equal(atomic_load(&call->references), 1);
  call_release(call);
}

static void a_subscriber_is_told_of_its_calls_in_their_order(void **state) {
  struct fixture *fixture = *state;
  struct call *one = new_call(CALL_ACTIVE), *two = new_call(CALL_ACTIVE);
  struct call *three = new_call(CALL_ACTIVE), *other = new_call(CALL_ACTIVE);
  int subscriber = subscribe(fixture, "1;"), second = subscribe(fixture, "2;");
  assert_true(notify_subscribe(fixture->notify, one, 1) == 1);
  assert_true(notify_subscribe(fixture->notify, two, 1) == 2);
  assert_true(notify_number(fixture->notify, three) == 3);
  assert_true(notify_subscribe(fixture->notify, other, 2) == 4);
  end_call(fixture, two);
  end_call(fixture, three);
  end_call(fixture, one);
  assert_string_equal(news(subscriber), "");
  notify_flush(fixture->notify);
  assert_string_equal(news(subscriber), "2 1;");
  assert_string_equal(news(second), "");
  end_call(fixture, other);
  notify_flush(fixture->notify);
  notify_flush(fixture->notify);
  assert_string_equal(news(subscriber), "");
  assert_string_equal(news(second), "4;");
  close(subscriber);
  close(second);
}

static void a_subscriber_is_told_once_for_each_time_and_not_of_what_is_ready_already(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE), *done = new_call(CALL_DONE);
  int subscriber = subscribe(fixture, "1;");
  assert_true(notify_subscribe(fixture->notify, done, 1) == 0);
  assert_true(notify_subscribe(fixture->notify, call, 1) == 1);
  for (int times = 0; times < 2; times++) {
    atomic_store(&call->has_events, true);
    notify_ready(fixture->notify, call);
    notify_ready(fixture->notify, call);
    assert_true(notify_subscribe(fixture->notify, call, 1) == 0);
    notify_flush(fixture->notify);
    assert_string_equal(news(subscriber), "1;");
    atomic_store(&call->has_events, false);
    assert_true(notify_subscribe(fixture->notify, call, 1) == 1);
  }
  assert_true(notify_unsubscribe(fixture->notify, call));
  end_call(fixture, call);
  notify_flush(fixture->notify);
  assert_string_equal(news(subscriber), "");
  call_release(done);
  close(subscriber);
}

static void a_subscriber_hears_that_time_passes(void **state) {
  struct fixture *fixture = *state;
  int subscriber = subscribe(fixture, "1;");
  int64_t now = clock_monotonic_ms();
  assert_true(timers_next(&fixture->timers) <= now + NOTIFY_TICK_MS);
  for (int times = 0; times < 3; times++) {
    int64_t due = timers_next(&fixture->timers);
    timers_run(&fixture->timers, due - 1);
    assert_string_equal(news(subscriber), "");
    timers_run(&fixture->timers, due);
    assert_string_equal(news(subscriber), ";");
  }
  close(subscriber);
  notify_serve(fixture->notify);
  assert_true(timers_next(&fixture->timers) == INT64_MAX);
}

static void a_subscriber_that_hangs_up_leaves_its_calls_alone(void **state) {
  struct fixture *fixture = *state;
  struct call *told = new_call(CALL_ACTIVE), *late = new_call(CALL_ACTIVE);
  int first = subscribe(fixture, "1;"), second = subscribe(fixture, "2;");
  int third = subscribe(fixture, "3;");
  assert_true(notify_subscribe(fixture->notify, told, 2) != 0);
  assert_true(notify_subscribe(fixture->notify, late, 2) != 0);
  notify_ready(fixture->notify, told);
  close(second);
  notify_serve(fixture->notify);
  end_call(fixture, told);
  assert_int_equal(call_phase(late), CALL_ACTIVE);
  end_call(fixture, late);
  say(fixture, third, "1 0\n"); /* no question is understood there */
  assert_string_equal(news(third), "end");
  notify_flush(fixture->notify);
  assert_string_equal(news(first), "");
  close(first);
  close(third);
}

static void a_call_that_both_kinds_wait_for_is_cancelled_when_neither_does(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  int subscriber = subscribe(fixture, "1;");
  uint64_t number = notify_subscribe(fixture->notify, call, 1);
  int waiter = connect_to(fixture);
  ask(fixture, waiter, number, 0);
  assert_false(notify_unsubscribe(fixture->notify, call));
  assert_true(notify_subscribe(fixture->notify, call, 1) == number);
  close(waiter);
  notify_serve(fixture->notify);
  assert_int_equal(call_phase(call), CALL_ACTIVE);
  assert_true(notify_unsubscribe(fixture->notify, call));
  waiter = connect_to(fixture);
  ask(fixture, waiter, number, 0);
  close(waiter);
  notify_serve(fixture->notify);
  assert_int_equal(call->reply.error, CALL_CANCELLED);
  end_call(fixture, call);
  close(subscriber);
}

/* Whether a connection that asks for the call and hangs up has it cancelled. */
static bool is_cancelled_by_one_that_hangs_up(const struct fixture *fixture, struct call *call) {
  int waiter = connect_to(fixture);
  ask(fixture, waiter, notify_number(fixture->notify, call), 0);
  close(waiter);
  notify_serve(fixture->notify);
  return call_phase(call) == CALL_DONE;
}

static void a_subscriber_that_waits_no_longer_keeps_no_call_alive(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  int subscriber = subscribe(fixture, "1;");
  assert_true(notify_subscribe(fixture->notify, call, 1) == 1);
  notify_stop_telling(fixture->notify, call, 2); /* which was never to be told */
  assert_false(is_cancelled_by_one_that_hangs_up(fixture, call));
  notify_stop_telling(fixture->notify, call, 1);
  assert_int_equal(call_phase(call), CALL_ACTIVE);
  assert_true(is_cancelled_by_one_that_hangs_up(fixture, call));
  end_call(fixture, call);
  notify_flush(fixture->notify);
  assert_string_equal(news(subscriber), "");
  close(subscriber);
}

static void a_subscriber_that_has_hung_up_keeps_no_call_alive(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  int first = subscribe(fixture, "1;"), second = subscribe(fixture, "2;");
  assert_true(notify_subscribe(fixture->notify, call, 2) == 1);
  assert_false(is_cancelled_by_one_that_hangs_up(fixture, call));
  close(second);
  notify_serve(fixture->notify);
  assert_true(is_cancelled_by_one_that_hangs_up(fixture, call));
  end_call(fixture, call);
  close(first);
}

static void another_process_is_not_served(void **state) {
  struct fixture *fixture = *state;
  pid_t child = fork();
  if (child == 0) {
    /* The child has the address, by the descriptor that it has inherited; whose connection it is, the kernel says. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", notify_address(fixture->notify) + strlen("unix:"));
    int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    char byte;
    bool connected = connect(socket_, (struct sockaddr *)&name, sizeof name) == 0;
    _exit(connected && recv(socket_, &byte, 1, 0) == 0 ? 0 : 1);
  }
  int status = -1;
  while (waitpid(child, &status, WNOHANG) == 0) notify_serve(fixture->notify);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_socket_leaves_no_file_behind(void **state) {
  struct fixture *fixture = *state;
  char path[256], target[256];
  snprintf(path, sizeof path, "%s", notify_address(fixture->notify) + strlen("unix:"));
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length > 0) { /* the address leads by way of the descriptor */
    target[length] = '\0';
    assert_non_null(strstr(target, " (deleted)"));
    return;
  }
  assert_int_equal(access(path, F_OK), 0);
  notify_close(fixture->notify);
  fixture->notify = NULL;
  assert_int_equal(access(path, F_OK), -1);
  *strrchr(path, '/') = '\0';
  assert_int_equal(access(path, F_OK), -1);
}

/* Whether there is something to serve, as an event loop sees it. */
static bool is_calling(const struct fixture *fixture) {
  struct pollfd poll_for = {.fd = notify_descriptor(fixture->notify), .events = POLLIN};
  return poll(&poll_for, 1, 0) > 0;
}

static void without_a_descriptor_it_waits_in_silence(void **state) {
  struct fixture *fixture = *state;
  struct call *call = new_call(CALL_ACTIVE);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  struct rlimit before, none;
  int waiter = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(name.sun_path, sizeof name.sun_path, "%s", notify_address(fixture->notify) + strlen("unix:"));
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = (rlim_t)waiter + 1;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  assert_int_equal(connect(waiter, (struct sockaddr *)&name, sizeof name), 0);
  assert_true(is_calling(fixture));
  notify_serve(fixture->notify);
  assert_false(is_calling(fixture));
  /* It tries again, in vain. */
  int64_t now = clock_monotonic_ms();
  timers_run(&fixture->timers, now + 100);
  assert_true(is_calling(fixture));
  notify_serve(fixture->notify);
  assert_false(is_calling(fixture));
  /* As soon as there is one the waiter is served, who has not noticed anything. */
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  timers_run(&fixture->timers, now + 200);
  notify_serve(fixture->notify);
  ask(fixture, waiter, notify_number(fixture->notify, call), 0);
  notify_ready(fixture->notify, call);
  notify_flush(fixture->notify);
  assert_string_equal(heard(waiter), "1");
  close(waiter);
  notify_forget(fixture->notify, call);
  call_release(call);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(a_waiter_is_told_when_the_call_is_ready),
      TEST(a_call_that_is_ready_or_over_is_answered_at_once),
      TEST(time_passes_for_a_waiter_and_not_for_the_call),
      TEST(the_last_waiter_that_hangs_up_cancels_the_call),
      TEST(a_connection_without_a_question_may_end),
      TEST(what_is_no_question_ends_the_connection),
      TEST(numbers_that_share_a_bucket_are_told_apart),
      TEST(a_subscriber_is_told_of_its_calls_in_their_order),
      TEST(a_subscriber_is_told_once_for_each_time_and_not_of_what_is_ready_already),
      TEST(a_subscriber_hears_that_time_passes),
      TEST(a_subscriber_that_hangs_up_leaves_its_calls_alone),
      TEST(a_call_that_both_kinds_wait_for_is_cancelled_when_neither_does),
      TEST(a_subscriber_that_waits_no_longer_keeps_no_call_alive),
      TEST(a_subscriber_that_has_hung_up_keeps_no_call_alive),
      TEST(another_process_is_not_served),
      TEST(the_socket_leaves_no_file_behind),
      TEST(without_a_descriptor_it_waits_in_silence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
