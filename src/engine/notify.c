#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "engine.h"
#include "text.h"
#include "watch.h"

/* Numbers come one after the other: as many calls at once as there are buckets and none shares one. */
#define BUCKETS 1024
#define LONGEST_QUESTION 48
#define SUBSCRIPTION "subscribe\n"
/* Of a 64-bit number, with what follows it and a NUL. */
#define NUMBER_BYTES 24
#define EVENTS_AT_ONCE 64
/* How long no connection is taken after the process had no descriptor for one. */
#define REST_MS 50

struct notify {
  int watch;                   /* see watch.h: the listener's owner is NULL, a connection's its waiter */
  int listener;
  int file;                    /* of the socket, whose name is gone: it is reached by this descriptor. -1: it has a name */
  char address[sizeof "unix:" + sizeof((struct sockaddr_un *)0)->sun_path];
  struct timers *timers;       /* the driver's */
  struct timer rest;           /* while no connection is taken */
  struct notify_waiter *waiters; /* all connections */
  struct notify_waiter *subscribers; /* those of them that are, by next_subscriber */
  uint64_t last_subscriber;
  struct notify_waiter *ready, **ready_end; /* those to be answered, by next_of_call, in their order */
  pthread_mutex_t mutex;       /* guards the rest */
  uint64_t last_number;
  struct call *numbered[BUCKETS]; /* by number, chained by next_numbered; not counted: the engine holds what is not done */
};

/* A connection, with the question that is open on it; or a subscriber's. */
struct notify_waiter {
  struct notify *notify;
  int socket;
  struct call *call;           /* one reference; NULL: there is no question */
  struct notify_waiter *next_of_call;
  bool is_ready;               /* in the notify's list of that name instead of the call's */
  struct timer deadline;       /* of the question; the subscriber's next tick */
  uint64_t subscriber;         /* its ID; 0: it is none */
  struct notify_waiter *next_subscriber;
  struct buffer news;          /* the numbers that it is to be told, a space after each */
  char question[LONGEST_QUESTION];
  size_t length;
  struct notify_waiter *previous, *next;
};

/* ======================================================================== */
/* The socket                                                               */
/* ======================================================================== */

#if !defined SOCK_CLOEXEC || defined UIPATH_PORTABLE
/* Makes a socket one that is closed by exec and never blocks. -1 stays -1. */
static int private_socket(int socket) {
  if (socket < 0) return socket;
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  fcntl(socket, F_SETFL, O_NONBLOCK);
  return socket;
}
#endif

/* Where /proc leads from a descriptor to its file the socket's name can go, and nothing stays behind,
   however the process ends. */
#if defined O_PATH && !defined UIPATH_PORTABLE

/* Takes away the name of the socket that was bound. false: the file cannot be reached without it. */
static bool hide(struct notify *notify, const char *path, const char *folder) {
  notify->file = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  unlink(path);
  rmdir(folder);
  snprintf(notify->address, sizeof notify->address, "unix:/proc/self/fd/%d", notify->file);
  return notify->file >= 0 && access(notify->address + strlen("unix:"), F_OK) == 0;
}

#else

static bool hide(struct notify *notify, const char *path, const char *folder) {
  (void)folder;
  snprintf(notify->address, sizeof notify->address, "unix:%s", path);
  return true;
}

#endif

/* Takes away the name of the socket, and its folder, if it has one still. */
static void remove_name(struct notify *notify) {
  char *path = notify->address + strlen("unix:"), *slash = strrchr(path, '/');
  if (notify->file >= 0 || slash == NULL) return;
  unlink(path);
  *slash = '\0';
  rmdir(path);
}

/* A socket that is closed by exec and never blocks; -1: none is to be had. */
static int new_socket(void) {
#if defined SOCK_CLOEXEC && !defined UIPATH_PORTABLE
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
  return private_socket(socket(AF_UNIX, SOCK_STREAM, 0));
#endif
}

/* Binds the socket to a name in a private folder below `parent`. */
static bool bind_below(struct notify *notify, const char *parent) {
  char folder[80];
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if ((size_t)snprintf(folder, sizeof folder, "%s/uipath.XXXXXX", parent) >= sizeof folder || mkdtemp(folder) == NULL) return false;
  snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", folder);
  if (bind(notify->listener, (struct sockaddr *)&name, sizeof name) == 0) return hide(notify, name.sun_path, folder);
  rmdir(folder);
  return false;
}

/* Binds a socket in the first folder that lets us. */
static bool bind_somewhere(struct notify *notify) {
  const char *const parents[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
  for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
    if (parents[i] == NULL || parents[i][0] != '/') continue;
    notify->listener = new_socket();
    if (notify->listener < 0) return false;
    if (bind_below(notify, parents[i])) return listen(notify->listener, SOMAXCONN) == 0;
    close(notify->listener);
    notify->listener = -1;
    if (notify->file >= 0) close(notify->file);
    notify->file = -1;
  }
  return false;
}

/* Takes connections again. */
static void on_rested(void *owner) {
  struct notify *notify = owner;
  if (!watch_add(notify->watch, notify->listener, NULL)) timers_set(notify->timers, &notify->rest, clock_monotonic_ms() + REST_MS);
}

/* Where a connection waits that cannot be taken, it would be reported without end. It is left waiting
   for a while instead. */
static void rest(struct notify *notify) {
  if (timers_set(notify->timers, &notify->rest, clock_monotonic_ms() + REST_MS))
    watch_remove(notify->watch, notify->listener);
}

struct notify *notify_open(struct timers *timers) {
  struct notify *notify = calloc(1, sizeof *notify);
  if (notify == NULL) return NULL;
  notify->timers = timers;
  notify->rest = (struct timer){.expired = on_rested, .owner = notify};
  notify->ready_end = &notify->ready;
  notify->listener = notify->file = -1;
  pthread_mutex_init(&notify->mutex, NULL);
  notify->watch = watch_open();
  if (notify->watch >= 0 && bind_somewhere(notify) && watch_add(notify->watch, notify->listener, NULL)) return notify;
  notify_close(notify);
  return NULL;
}

static void close_waiter(struct notify_waiter *waiter);

void notify_close(struct notify *notify) {
  if (notify == NULL) return;
  for (struct notify_waiter *waiter = notify->waiters, *next; waiter != NULL; waiter = next) {
    next = waiter->next;
    close_waiter(waiter);
  }
  timers_clear(notify->timers, &notify->rest);
  if (notify->watch >= 0) close(notify->watch);
  if (notify->listener >= 0) close(notify->listener);
  remove_name(notify);
  if (notify->file >= 0) close(notify->file);
  pthread_mutex_destroy(&notify->mutex);
  free(notify);
}

const char *notify_address(const struct notify *notify) {
  return notify->address;
}

int notify_descriptor(const struct notify *notify) {
  return notify->watch;
}

/* ======================================================================== */
/* Numbers                                                                  */
/* ======================================================================== */

/* As notify_number; with the mutex held. */
static uint64_t number_of(struct notify *notify, struct call *call) {
  /* One that ends right now is either seen here as done, or found here by notify_forget, which comes after it. */
  if (call->number == 0 && call_phase(call) != CALL_DONE) {
    call->number = ++notify->last_number;
    struct call **bucket = &notify->numbered[call->number % BUCKETS];
    call->next_numbered = *bucket;
    *bucket = call;
  }
  return call_phase(call) == CALL_DONE ? 0 : call->number;
}

uint64_t notify_number(struct notify *notify, struct call *call) {
  pthread_mutex_lock(&notify->mutex);
  uint64_t number = number_of(notify, call);
  pthread_mutex_unlock(&notify->mutex);
  return number;
}

uint64_t notify_subscribe(struct notify *notify, struct call *call, uint64_t subscriber) {
  pthread_mutex_lock(&notify->mutex);
  uint64_t number = number_of(notify, call);
  /* One that becomes ready right now is either seen here as such, or its subscriber is seen by
     notify_ready, which comes after it. */
  if (number != 0 && engine_is_ready(call)) number = 0;
  if (number != 0) call->subscriber = subscriber;
  pthread_mutex_unlock(&notify->mutex);
  return number;
}

bool notify_unsubscribe(struct notify *notify, struct call *call) {
  pthread_mutex_lock(&notify->mutex);
  call->subscriber = 0;
  pthread_mutex_unlock(&notify->mutex);
  return atomic_load(&call->waiter_count) == 0;
}

void notify_stop_telling(struct notify *notify, struct call *call, uint64_t subscriber) {
  pthread_mutex_lock(&notify->mutex);
  if (call->subscriber == subscriber) call->subscriber = 0;
  pthread_mutex_unlock(&notify->mutex);
}

/* The subscriber of that ID; NULL: it has hung up. */
static struct notify_waiter *subscriber_of(const struct notify *notify, uint64_t id) {
  struct notify_waiter *waiter = notify->subscribers;
  while (waiter != NULL && waiter->subscriber != id) waiter = waiter->next_subscriber;
  return waiter;
}

/* Whether a subscriber that is there still is to be told of the call. */
static bool has_subscriber(struct notify *notify, const struct call *call) {
  pthread_mutex_lock(&notify->mutex);
  uint64_t subscriber = call->subscriber;
  pthread_mutex_unlock(&notify->mutex);
  return subscriber != 0 && subscriber_of(notify, subscriber) != NULL;
}

void notify_forget(struct notify *notify, struct call *call) {
  pthread_mutex_lock(&notify->mutex);
  if (call->number != 0) {
    struct call **link = &notify->numbered[call->number % BUCKETS];
    while (*link != NULL && *link != call) link = &(*link)->next_numbered;
    if (*link != NULL) *link = call->next_numbered;
  }
  pthread_mutex_unlock(&notify->mutex);
}

/* The call of that number, with a reference for the caller; NULL: it is over. */
static struct call *find(struct notify *notify, uint64_t number) {
  pthread_mutex_lock(&notify->mutex);
  struct call *call = notify->numbered[number % BUCKETS];
  while (call != NULL && call->number != number) call = call->next_numbered;
  if (call != NULL) call_retain(call);
  pthread_mutex_unlock(&notify->mutex);
  return call;
}

/* ======================================================================== */
/* Questions and answers                                                    */
/* ======================================================================== */

/* Takes the question back, if there is one. */
static void stop_waiting(struct notify_waiter *waiter) {
  struct call *call = waiter->call;
  if (call == NULL) return;
  struct notify *notify = waiter->notify;
  struct notify_waiter **link = waiter->is_ready ? &notify->ready : &call->waiters;
  while (*link != waiter) link = &(*link)->next_of_call;
  *link = waiter->next_of_call;
  if (waiter->is_ready && *link == NULL) notify->ready_end = link;
  waiter->call = NULL;
  atomic_fetch_sub(&call->waiter_count, 1);
  waiter->is_ready = false;
  timers_clear(notify->timers, &waiter->deadline);
  call_release(call);
}

/* Sends all of the bytes. Where that fails the end of file is still to come, and ends the
   connection. */
static void say(const struct notify_waiter *waiter, const char *text, size_t length) {
  ssize_t sent = send(waiter->socket, text, length, MSG_NOSIGNAL);
  if (sent != (ssize_t)length) shutdown(waiter->socket, SHUT_RDWR);
}

static void answer(struct notify_waiter *waiter, const char *text) {
  stop_waiting(waiter);
  say(waiter, text, strlen(text));
}

static void on_deadline(void *owner) {
  answer(owner, "0\n");
}

static void on_tick(void *owner) {
  struct notify_waiter *waiter = owner;
  int64_t now = clock_monotonic_ms(), due = waiter->deadline.due;
  say(waiter, "\n", 1);
  /* Those that were missed while the process stood still are not made up for. */
  timers_set(waiter->notify->timers, &waiter->deadline, (due > now ? due : now) + NOTIFY_TICK_MS);
}

/* Makes the connection a subscriber. false: there is no memory. */
static bool subscribe(struct notify_waiter *waiter) {
  struct notify *notify = waiter->notify;
  waiter->deadline.expired = on_tick;
  int64_t due = clock_monotonic_ms() + NOTIFY_TICK_MS;
  if (!timers_set(notify->timers, &waiter->deadline, due)) return false;
  waiter->subscriber = ++notify->last_subscriber;
  waiter->next_subscriber = notify->subscribers;
  notify->subscribers = waiter;
  char line[NUMBER_BYTES];
  int length = snprintf(line, sizeof line, "%llu\n", (unsigned long long)waiter->subscriber);
  say(waiter, line, (size_t)length);
  return true;
}

/* The connection ends, and was perhaps a subscriber's. */
static void unsubscribe(struct notify_waiter *waiter) {
  if (waiter->subscriber == 0) return;
  struct notify_waiter **link = &waiter->notify->subscribers;
  while (*link != waiter) link = &(*link)->next_subscriber;
  *link = waiter->next_subscriber;
  timers_clear(waiter->notify->timers, &waiter->deadline);
  buffer_free(&waiter->news);
}

/* Adds the call of that number to what the subscriber is to be told. Without memory its
   connection ends, which tells it to look for itself. */
static void add_news(struct notify *notify, uint64_t subscriber, uint64_t number) {
  struct notify_waiter *waiter = subscriber_of(notify, subscriber);
  if (waiter == NULL) return;
  char digits[NUMBER_BYTES];
  int length = snprintf(digits, sizeof digits, "%llu ", (unsigned long long)number);
  if (!buffer_append(&waiter->news, digits, (size_t)length)) shutdown(waiter->socket, SHUT_RDWR);
}

/* Tells all subscribers what there is to tell. */
static void tell_news(struct notify *notify) {
  struct notify_waiter *waiter = notify->subscribers;
  for (; waiter != NULL; waiter = waiter->next_subscriber) {
    struct buffer *news = &waiter->news;
    if (news->length == 0) continue;
    news->data[news->length - 1] = '\n';
    say(waiter, news->data, news->length);
    news->length = 0;
  }
}

void notify_ready(struct notify *notify, struct call *call) {
  pthread_mutex_lock(&notify->mutex);
  uint64_t subscriber = call->subscriber, number = call->number;
  call->subscriber = 0;
  pthread_mutex_unlock(&notify->mutex);
  if (subscriber != 0) add_news(notify, subscriber, number);
  struct notify_waiter *first = call->waiters;
  call->waiters = NULL;
  *notify->ready_end = first;
  for (; first != NULL; first = first->next_of_call) {
    first->is_ready = true;
    notify->ready_end = &first->next_of_call;
  }
}

void notify_flush(struct notify *notify) {
  tell_news(notify);
  while (notify->ready != NULL) answer(notify->ready, "1\n");
}

/* The digits at *text, which is moved behind them; UINT64_MAX: there are none, or too many. */
static uint64_t read_digits(const char **text) {
  uint64_t number = 0;
  const char *begin = *text;
  for (; text_is_digit(**text); (*text)++) number = number * 10 + (uint64_t)(**text - '0');
  return *text == begin || *text - begin > 18 ? UINT64_MAX : number;
}

/* Deals with one line. false: it is no question. */
static bool ask(struct notify_waiter *waiter, const char *line) {
  if (waiter->subscriber != 0) return false;
  if (strcmp(line, SUBSCRIPTION) == 0) return waiter->call == NULL && subscribe(waiter);
  uint64_t number = read_digits(&line);
  if (number == UINT64_MAX || *line++ != ' ' || waiter->call != NULL) return false;
  uint64_t milliseconds = read_digits(&line);
  if (milliseconds > INT64_MAX / 2 || *line != '\n') return false;

  struct call *call = find(waiter->notify, number);
  if (call == NULL || engine_is_ready(call)) {
    call_release(call);
    answer(waiter, "1\n");
    return true;
  }
  waiter->call = call;
  waiter->next_of_call = call->waiters;
  call->waiters = waiter;
  atomic_fetch_add(&call->waiter_count, 1);
  if (milliseconds > 0) timers_set(waiter->notify->timers, &waiter->deadline, clock_monotonic_ms() + (int64_t)milliseconds);
  return true;
}

/* ======================================================================== */
/* Connections                                                              */
/* ======================================================================== */

static void close_waiter(struct notify_waiter *waiter) {
  stop_waiting(waiter);
  unsubscribe(waiter);
  close(waiter->socket);
  if (waiter->previous != NULL) waiter->previous->next = waiter->next;
  else waiter->notify->waiters = waiter->next;
  if (waiter->next != NULL) waiter->next->previous = waiter->previous;
  free(waiter);
}

/* The waiter is gone, and with it the interest in its call. */
static void hang_up(struct notify_waiter *waiter) {
  struct notify *notify = waiter->notify;
  struct call *call = waiter->call == NULL || waiter->is_ready ? NULL : call_retain(waiter->call);
  close_waiter(waiter);
  if (call != NULL && call->waiters == NULL && !has_subscriber(notify, call)) engine_cancel(call);
  call_release(call);
}

/* Whether a new connection comes from this process or, where that cannot be told, from its user. */
static bool is_own(int socket) {
#if defined SO_PEERCRED && defined __linux__
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
#else
  uid_t user;
  gid_t group;
  return getpeereid(socket, &user, &group) == 0 && user == geteuid();
#endif
}

/* The next connection that waits to be taken; -1: none, or errno says why not. */
static int next_connection(const struct notify *notify) {
#if defined SOCK_CLOEXEC && !defined UIPATH_PORTABLE
  return accept4(notify->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
  return private_socket(accept(notify->listener, NULL, NULL));
#endif
}

/* Whether accept has failed for a reason that the next connection will meet, too. */
static bool is_lasting(int failure) {
  return failure == EMFILE || failure == ENFILE || failure == ENOBUFS || failure == ENOMEM;
}

static void accept_all(struct notify *notify) {
  for (int socket; (socket = next_connection(notify)) >= 0;) {
    struct notify_waiter *waiter = is_own(socket) ? calloc(1, sizeof *waiter) : NULL;
    if (waiter == NULL || !watch_add(notify->watch, socket, waiter)) {
      free(waiter);
      close(socket);
      continue;
    }
    waiter->notify = notify;
    waiter->socket = socket;
    waiter->deadline.owner = waiter;
    waiter->deadline.expired = on_deadline;
    waiter->next = notify->waiters;
    if (waiter->next != NULL) waiter->next->previous = waiter;
    notify->waiters = waiter;
  }
  if (is_lasting(errno)) rest(notify);
}

/* Reads what a connection brings, and closes it when it is over or makes no sense. */
static void read_from(struct notify_waiter *waiter) {
  ssize_t got = recv(waiter->socket, waiter->question + waiter->length, LONGEST_QUESTION - 1 - waiter->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    hang_up(waiter);
    return;
  }
  waiter->length += (size_t)got;
  waiter->question[waiter->length] = '\0';
  const char *end = strchr(waiter->question, '\n');
  if (end == NULL && waiter->length < LONGEST_QUESTION - 1) return;
  /* The next question follows an answer, so that nothing can be behind the line. */
  bool understood = end == waiter->question + waiter->length - 1 && ask(waiter, waiter->question);
  waiter->length = 0;
  if (!understood) hang_up(waiter);
}

void notify_serve(struct notify *notify) {
  void *owners[EVENTS_AT_ONCE];
  int count = watch_ready(notify->watch, owners, EVENTS_AT_ONCE);
  for (int i = 0; i < count; i++) {
    /* Of each connection there is one event, and only its own closes it. */
    if (owners[i] == NULL) accept_all(notify);
    else read_from(owners[i]);
  }
}
