#include "engine.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "descriptor.h"
#include "engine_internal.h"
#include "flight.h"
#include "loop.h"
#include "notify.h"
#include "pipe_signal.h"
#include "token_cache.h"
#include "token_source.h"

/* At the process's end the thread is waited for this long, then left behind: a resolver may be stuck. */
#define LONGEST_STOP_S 1
/* A driver without timers looks up this often; only a bound, every event wakes it. */
#define LONGEST_SLEEP_MS 60000
/* The thread takes the loop only when nobody has had it for this long: a caller whose call is done mostly comes back at once for the next,
   and to wake a thread for each would cost more than a small call does. */
#define GRACE_US 500
/* A caller that waits looks up this often: a signal that comes just before it falls asleep does not wake it. */
#define LONGEST_CALLER_SLEEP_MS 50

/* macOS has conditions of the wall clock alone: where that jumps, a wait is shorter or longer. */
#if defined __APPLE__ || defined UIPATH_PORTABLE
#define WALL_CLOCK_CONDITIONS
#define CONDITION_CLOCK CLOCK_REALTIME
#else
#define CONDITION_CLOCK CLOCK_MONOTONIC
#endif

struct engine {
  pthread_mutex_t mutex;       /* guards all but `loop`, which belongs to the driver */
  pthread_cond_t changed;      /* for the thread: something to drive, or to stop; for the stopper: the thread has ended */
  struct call *inbox, **inbox_end;
  bool is_woken;               /* the driver has been told of the inbox, and has not looked since */
  bool driven;                 /* somebody has the loop */
  bool thread_exists;
  bool stopping;
  bool closed;                 /* the process is ending, and nothing will ever be driven again */
  pthread_t thread;
  size_t under_way;            /* loop.under_way, when the last driver left */
  int64_t next_timer;          /* likewise, monotonic ms */
  int64_t free_since;          /* nobody has driven, or left something to drive, since then: monotonic µs */
  bool thread_watches;         /* the thread sleeps no longer than the grace lasts */
  int64_t thread_wakes_at;     /* else at most until then, monotonic ms */
  pthread_mutex_t turning;     /* held by the driver but while it sleeps; taken before `mutex` */
  atomic_bool sleeping;        /* the driver is about to sleep, asleep or hardly awake: from the end of one turn to the beginning of the next */
  struct notify *notify;       /* made at the first asking; the driver has it as loop.notify */
  bool has_no_notify;          /* there is none to be had */
  struct loop loop;
};

static pthread_mutex_t creation_mutex = PTHREAD_MUTEX_INITIALIZER; /* taken before an engine's mutexes */
static _Atomic(struct engine *) current_engine; /* this process's, NULL until the first call; made with creation_mutex held */

/* ======================================================================== */
/* Beginning, fork and end                                                  */
/* ======================================================================== */

/* No turn may be half done while the process is copied: libcurl's and OpenSSL's own locks would stay locked in the child for good. Nor may the
   driver be on its way to sleep or back, where libcurl asks for memory: not every allocator knows of forks. */
static void before_fork(void) {
  pthread_mutex_lock(&creation_mutex);
  struct engine *engine = current_engine;
  if (engine != NULL) {
    pthread_mutex_lock(&engine->turning);
    if (engine->sleeping) loop_wake(&engine->loop);
    while (engine->sleeping) usleep(20); /* until the driver waits for its turn, or has left */
  }
  token_sources_before_fork();
}

static void after_fork_in_parent(void) {
  struct engine *engine = current_engine;
  token_sources_after_fork();
  if (engine != NULL) pthread_mutex_unlock(&engine->turning);
  pthread_mutex_unlock(&creation_mutex);
}

/* The thread does not exist here, and its connections belong to the parent: nothing of them may be touched. */
static void after_fork_in_child(void) {
  current_engine = NULL;
  token_sources_after_fork();
  pthread_mutex_unlock(&creation_mutex);
}

/* Stops the thread and frees everything, unless somebody else is driving still. Before OpenSSL's own exit handler: that was
   registered earlier, when libcurl was initialised. */
static void stop_at_exit(void) {
  struct engine *engine = current_engine;
  if (engine == NULL) return;

  struct timespec until;
  clock_gettime(CONDITION_CLOCK, &until);
  until.tv_sec += LONGEST_STOP_S;
  pthread_mutex_lock(&engine->mutex);
  engine->stopping = true;
  pthread_cond_broadcast(&engine->changed);
  if (engine->driven) loop_wake(&engine->loop);
  while (engine->driven && pthread_cond_timedwait(&engine->changed, &engine->mutex, &until) == 0) continue;
  bool is_free = !engine->driven;
  engine->driven = true; /* for good: nobody may take the loop any more */
  engine->closed = is_free;
  bool joins = is_free && engine->thread_exists;
  pthread_mutex_unlock(&engine->mutex);
  if (joins) pthread_join(engine->thread, NULL);
  if (is_free) {
    notify_close(engine->notify);
    loop_close(&engine->loop);
  }
  /* The engine itself stays: threads that outlive this handler may still look at it. */
}

static void initialise_process(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  atexit(stop_at_exit);
}

static struct engine *new_engine(void) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
#ifndef WALL_CLOCK_CONDITIONS
  pthread_condattr_setclock(&attributes, CONDITION_CLOCK);
#endif
  pthread_mutex_init(&engine->mutex, NULL);
  pthread_mutex_init(&engine->turning, NULL);
  pthread_cond_init(&engine->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  engine->inbox_end = &engine->inbox;
  engine->next_timer = INT64_MAX;
  if (loop_open(&engine->loop, engine)) return engine;
  loop_close(&engine->loop);
  free(engine);
  return NULL;
}

/* This process's engine, made at the first call. NULL: no memory. */
static struct engine *get_engine(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct engine *engine = current_engine;
  if (engine != NULL) return engine;
  pthread_once(&once, initialise_process);
  pthread_mutex_lock(&creation_mutex);
  if (current_engine == NULL) current_engine = new_engine();
  engine = current_engine;
  pthread_mutex_unlock(&creation_mutex);
  return engine;
}

/* The engine a call was submitted to, if it is this process's; else NULL: the call was left behind by a fork. */
static struct engine *engine_of(const struct call *call) {
  struct engine *engine = current_engine;
  return engine == call->engine ? engine : NULL;
}

/* ======================================================================== */
/* Signals to those who wait                                                */
/* ======================================================================== */

bool engine_is_asking(struct call *call) {
  return call_phase(call) == CALL_ASKING && call->answers_before == atomic_load(&call->request.token_source->answers);
}

bool engine_is_ready(struct call *call) {
  return call_phase(call) == CALL_DONE || engine_is_asking(call) || atomic_load_explicit(&call->has_events, memory_order_acquire);
}

/* The owner has seen to what made the call ready: its descriptor is readable no longer. With the mutex held. */
static void calm_owner(struct call *call) {
  if (call->descriptor.reader >= 0 && !engine_is_ready(call)) descriptor_calm(call->descriptor);
}

/* With the mutex held. */
static void wake_owner(struct call *call) {
  descriptor_signal(call->descriptor);
  descriptor_signal(call->waiter);
}

static void set_phase(struct call *call, enum call_phase phase) {
  atomic_store_explicit(&call->phase, (int)phase, memory_order_release);
}

/* The reply becomes visible, and the engine lets go of the call. engine: the one whose mutex guards it. */
static void complete(struct engine *engine, struct call *call) {
  pthread_mutex_lock(&engine->mutex);
  set_phase(call, CALL_DONE);
  wake_owner(call);
  /* It may be new, and the driver not know of it: who numbers the call after this sees that it is done. */
  struct notify *notify = engine->notify;
  pthread_mutex_unlock(&engine->mutex);
  if (notify != NULL) {
    notify_forget(notify, call);
    notify_ready(notify, call);
  }
  call_release(call);
}

void engine_call_done(struct call *call) {
  complete(call->engine, call);
}

void engine_call_asks(struct call *call) {
  struct engine *engine = call->engine;
  pthread_mutex_lock(&engine->mutex);
  call->answers_before = atomic_load(&call->request.token_source->answers);
  set_phase(call, CALL_ASKING);
  wake_owner(call);
  pthread_mutex_unlock(&engine->mutex);
  if (engine->loop.notify != NULL) notify_ready(engine->loop.notify, call);
}

void engine_call_goes_on(struct call *call) {
  if (call_phase(call) != CALL_ASKING) return;
  pthread_mutex_lock(&call->engine->mutex);
  set_phase(call, CALL_ACTIVE);
  calm_owner(call);
  pthread_mutex_unlock(&call->engine->mutex);
}

void engine_call_event(struct call *call, const struct call_event *event) {
  struct call_event *copy = malloc(sizeof *copy);
  if (copy == NULL) return;
  *copy = *event;
  copy->next = NULL;
  if (copy->token != NULL) token_retain(copy->token);
  struct engine *engine = call->engine;
  pthread_mutex_lock(&engine->mutex);
  *call->events_end = copy;
  call->events_end = &copy->next;
  atomic_store_explicit(&call->has_events, true, memory_order_release);
  wake_owner(call);
  pthread_mutex_unlock(&engine->mutex);
  if (engine->loop.notify != NULL) notify_ready(engine->loop.notify, call);
}

/* ======================================================================== */
/* Driving                                                                  */
/* ======================================================================== */

/* Takes one call out of the inbox, with what its owner wants; NULL: it is empty. The inbox's reference is the caller's now. */
static struct call *take_from_inbox(struct engine *engine, bool *cancelled, struct call_answer *answer) {
  pthread_mutex_lock(&engine->mutex);
  engine->loop.notify = engine->notify;
  engine->is_woken = false;
  struct call *call = engine->inbox;
  if (call != NULL) {
    engine->inbox = call->next;
    if (engine->inbox == NULL) engine->inbox_end = &engine->inbox;
    call->in_inbox = false; /* from here on it can be posted again */
    *cancelled = call->cancel_asked;
    *answer = call->answer;
    call->answer = (struct call_answer){0};
  }
  pthread_mutex_unlock(&engine->mutex);
  return call;
}

static void read_inbox(struct engine *engine) {
  struct loop *loop = &engine->loop;
  struct call_answer answer;
  bool cancelled;
  for (struct call *call; (call = take_from_inbox(engine, &cancelled, &answer)) != NULL; call_release(call)) {
    if (answer.token != NULL || answer.for_all) call->request.token_source->answers_taken++;
    if (call_phase(call) != CALL_DONE) {
      if (call->flight == NULL) flight_start(loop, call_retain(call), cancelled);
      else if (cancelled) flight_cancel(call->flight);
      if (answer.refusal != NULL && call->flight != NULL) token_cache_give_up(loop, call->flight, answer.refusal, answer.for_all);
    }
    /* The one that was to tell the others has ended meanwhile. */
    if (answer.refusal != NULL && answer.for_all && call_phase(call) == CALL_DONE) token_cache_ask_again(loop, call->request.token_source);
    /* A token that took longer than its call could wait serves the next. */
    if (answer.token != NULL) token_cache_give(loop, call, answer.token, answer.lifetime_ms);
    if (answer.fetch) token_cache_fetch(loop, call);
    secret_free(answer.token);
    free(answer.refusal);
  }
}

static bool any_ready(struct call *const *calls, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (engine_is_ready(calls[i])) return true;
  return false;
}

/* One round of everything that can be done without waiting. */
static void turn(struct engine *engine) {
  engine->sleeping = false;
  pthread_mutex_lock(&engine->turning);
  read_inbox(engine);
  loop_turn(&engine->loop);
  engine->sleeping = true;
  pthread_mutex_unlock(&engine->turning);
}

/* How long a caller may sleep until its deadline (monotonic ms, INT64_MAX: none); <= 0: it has passed. */
static int64_t caller_sleep(int64_t deadline) {
  int64_t left = deadline == INT64_MAX ? INT64_MAX : deadline - clock_monotonic_ms();
  return left < LONGEST_CALLER_SLEEP_MS ? left : LONGEST_CALLER_SLEEP_MS;
}

/* Drives until one of the calls is ready, the deadline has passed, or a signal may have come. The caller has the loop. */
static enum engine_wait_result drive_for(struct engine *engine, struct call *const *calls, size_t count, int64_t deadline) {
  int64_t looks_up_at = clock_monotonic_ms() + LONGEST_CALLER_SLEEP_MS;
  for (;;) {
    turn(engine);
    if (any_ready(calls, count)) return ENGINE_WAIT_READY;
    int64_t left = caller_sleep(deadline);
    if (left <= 0) return ENGINE_WAIT_TIMEOUT;
    /* Where bytes keep coming, poll may never have been asleep when a signal came. */
    if (clock_monotonic_ms() >= looks_up_at) return ENGINE_WAIT_INTERRUPTED;
    int patience = loop_patience(&engine->loop, left);
    if (patience > 0 && !loop_sleep(&engine->loop, patience) && loop_patience(&engine->loop, left) > 0)
      /* Neither the network nor a timer: a wake-up, or a signal, which poll tells by returning early. */
      return ENGINE_WAIT_INTERRUPTED;
  }
}

/* Drives while anything is under way, or may be asked for by a socket. The caller is the thread and has the loop. */
static void drive_until_idle(struct engine *engine) {
  bool goes_on = true;
  while (goes_on) {
    turn(engine);
    pthread_mutex_lock(&engine->mutex);
    goes_on = !engine->stopping && (engine->loop.under_way > 0 || engine->inbox != NULL || engine->notify != NULL);
    pthread_mutex_unlock(&engine->mutex);
    if (goes_on) {
      int patience = loop_patience(&engine->loop, LONGEST_SLEEP_MS);
      if (patience > 0) loop_sleep(&engine->loop, patience);
    }
  }
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The driver leaves the loop. With the mutex held. */
static void leave_loop(struct engine *engine) {
  engine->sleeping = false;
  engine->driven = false;
  engine->free_since = now_us();
  engine->under_way = engine->loop.under_way;
  engine->next_timer = timers_next(&engine->loop.timers);
}

/* Whether there is something to drive, now. With the mutex held, nobody driving. */
static bool has_work(const struct engine *engine) {
  return engine->inbox != NULL || engine->notify != NULL || engine->under_way > 0 || engine->next_timer <= clock_monotonic_ms();
}

/* Sleeps until something changes, at most until a moment of the monotonic clock in µs. With the mutex held. */
static void await_change_until(struct engine *engine, int64_t moment_us) {
#ifdef WALL_CLOCK_CONDITIONS
  struct timespec wall;
  clock_gettime(CONDITION_CLOCK, &wall);
  moment_us += (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - now_us();
#endif
  struct timespec until = {.tv_sec = (time_t)(moment_us / 1000000), .tv_nsec = (long)(moment_us % 1000000) * 1000};
  pthread_cond_timedwait(&engine->changed, &engine->mutex, &until);
}

/* Sleeps until something changes or the next timer is due; one that is due already is the driver's business. With the mutex held. */
static void await_change(struct engine *engine) {
  bool is_due = engine->next_timer <= clock_monotonic_ms();
  engine->thread_wakes_at = is_due ? INT64_MAX : engine->next_timer;
  if (engine->thread_wakes_at == INT64_MAX) pthread_cond_wait(&engine->changed, &engine->mutex);
  else await_change_until(engine, engine->next_timer * 1000);
}

/* Sleeps until the grace is over, if it lasts still; gives whether it did. With the mutex held. */
static bool await_grace(struct engine *engine) {
  int64_t over_at = engine->free_since + GRACE_US;
  if (over_at <= now_us()) return false;
  engine->thread_watches = true;
  await_change_until(engine, over_at);
  engine->thread_watches = false;
  return true;
}

static void *run_thread(void *argument) {
  struct engine *engine = argument;
  pthread_mutex_lock(&engine->mutex);
  while (!engine->stopping) {
    if (engine->driven || !has_work(engine)) {
      await_change(engine);
      continue;
    }
    if (await_grace(engine)) continue;
    engine->driven = true;
    pthread_mutex_unlock(&engine->mutex);
    drive_until_idle(engine);
    pthread_mutex_lock(&engine->mutex);
    leave_loop(engine);
    pthread_cond_broadcast(&engine->changed);
  }
  pthread_mutex_unlock(&engine->mutex);
  return NULL;
}

/* Sees to it that the thread does what is left to do, now or when the next timer is due. With the mutex held, nobody driving. */
static void call_thread(struct engine *engine) {
  if (engine->stopping || (!has_work(engine) && engine->next_timer == INT64_MAX)) return;
  if (engine->thread_exists) {
    /* One that looks up in time anyway is left alone. */
    if (engine->thread_watches || (!has_work(engine) && engine->thread_wakes_at <= engine->next_timer)) return;
    pthread_cond_broadcast(&engine->changed);
    return;
  }
  /* Signals are for the program's own threads. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  engine->thread_exists = pthread_create(&engine->thread, NULL, run_thread, engine) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ======================================================================== */
/* Waiting                                                                  */
/* ======================================================================== */

/* Drives in the caller's thread. With the mutex held on entry and return. */
static enum engine_wait_result lead(struct engine *engine, struct call *const *calls, size_t count, int64_t deadline) {
  struct pipe_signal held;
  engine->driven = true;
  pthread_mutex_unlock(&engine->mutex);
  pipe_signal_hold(&held);
  enum engine_wait_result result = drive_for(engine, calls, count, deadline);
  pipe_signal_release(&held);
  pthread_mutex_lock(&engine->mutex);
  leave_loop(engine);
  if (engine->stopping) pthread_cond_broadcast(&engine->changed);
  /* After an interruption the caller comes back, or cancels the call, which calls the thread. */
  else if (result != ENGINE_WAIT_INTERRUPTED) call_thread(engine);
  return result;
}

/* Sees to it that somebody looks into the inbox. With the mutex held. */
static void announce(struct engine *engine) {
  if (!engine->driven) {
    engine->free_since = now_us();
    call_thread(engine);
  } else if (!engine->is_woken) {
    /* The driver empties the inbox before it sleeps: once is enough for all that comes until it looks. */
    engine->is_woken = true;
    loop_wake(&engine->loop);
  }
}

/* Leaves the driving to another and sleeps until told. With the mutex held on entry and return. */
static enum engine_wait_result follow(struct engine *engine, struct call *const *calls, size_t count, int64_t deadline) {
  if (engine->inbox != NULL) announce(engine);
  int64_t left = caller_sleep(deadline);
  if (left <= 0) return ENGINE_WAIT_TIMEOUT;
  struct descriptor descriptor = descriptor_new();
  for (size_t i = 0; i < count; i++) calls[i]->waiter = descriptor;
  pthread_mutex_unlock(&engine->mutex);
  struct pollfd poll_for = {.fd = descriptor.reader, .events = POLLIN};
  if (descriptor.reader < 0) left = 1; /* no descriptor left: look again and again */
  int ready = poll(&poll_for, descriptor.reader < 0 ? 0 : 1, (int)left);
  pthread_mutex_lock(&engine->mutex);
  for (size_t i = 0; i < count; i++) calls[i]->waiter = NO_DESCRIPTOR;
  descriptor_close(descriptor);
  return ready > 0 ? ENGINE_WAIT_READY : ENGINE_WAIT_INTERRUPTED;
}

/* Ends a call that no engine has any more. */
static void end_as_cancelled(struct call *call, const char *message) {
  call->reply = (struct call_reply){.error = CALL_CANCELLED, .retry_after_ms = -1};
  call->reply.message = strdup(message);
  set_phase(call, CALL_DONE);
}

/* A call that a fork left behind: its engine lives on in the parent alone. */
static void abandon(struct call *call) {
  end_as_cancelled(call, "the call was started before a fork and goes on in the parent process");
}

static void end_at_exit(struct call *call) {
  end_as_cancelled(call, "the process is ending");
}

/* Ends the first call that a fork left behind, if there is one, and gives whether it did. */
static bool abandon_one(struct call *const *calls, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (engine_of(calls[i]) != NULL) continue;
    abandon(calls[i]);
    return true;
  }
  return false;
}

static bool any_done(struct call *const *calls, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (call_phase(calls[i]) == CALL_DONE) return true;
  return false;
}

enum engine_wait_result engine_await(struct call *const *calls, size_t count, int64_t deadline_ms) {
  if (count == 0) return ENGINE_WAIT_TIMEOUT;
  if (any_done(calls, count) || abandon_one(calls, count) || any_ready(calls, count)) return ENGINE_WAIT_READY;
  struct engine *engine = calls[0]->engine;
  enum engine_wait_result result = ENGINE_WAIT_READY;
  pthread_mutex_lock(&engine->mutex);
  while (!any_ready(calls, count) && result == ENGINE_WAIT_READY) {
    if (engine->closed) end_at_exit(calls[0]);
    else if (engine->driven) result = follow(engine, calls, count, deadline_ms);
    else result = lead(engine, calls, count, deadline_ms);
  }
  pthread_mutex_unlock(&engine->mutex);
  return any_ready(calls, count) ? ENGINE_WAIT_READY : result;
}

/* ======================================================================== */
/* Handing over                                                             */
/* ======================================================================== */

/* Puts the call where the driver looks; unless the caller waits, which announces it too, somebody is told to look. With the mutex held. */
static void post(struct engine *engine, struct call *call, bool caller_waits) {
  if (!call->in_inbox) {
    call->in_inbox = true;
    call->next = NULL;
    *engine->inbox_end = call_retain(call);
    engine->inbox_end = &call->next;
  }
  if (!caller_waits) announce(engine);
}

void engine_submit(struct call *call, bool caller_waits) {
  struct engine *engine = get_engine();
  call->engine = engine;
  if (engine == NULL) {
    call->reply.error = CALL_NO_MEMORY;
    set_phase(call, CALL_DONE);
    return;
  }
  set_phase(call, CALL_ACTIVE);
  pthread_mutex_lock(&engine->mutex);
  if (engine->stopping) end_at_exit(call);
  else post(engine, call, caller_waits);
  pthread_mutex_unlock(&engine->mutex);
}

void engine_cancel(struct call *call) {
  if (call_phase(call) == CALL_NEW || call_phase(call) == CALL_DONE) return;
  struct engine *engine = engine_of(call);
  if (engine == NULL) {
    abandon(call);
    return;
  }
  pthread_mutex_lock(&engine->mutex);
  if (call_phase(call) != CALL_DONE && !engine->stopping) {
    call->cancel_asked = true;
    post(engine, call, false);
  }
  pthread_mutex_unlock(&engine->mutex);
}

int engine_call_fd(struct call *call) {
  struct engine *engine = engine_of(call);
  if (engine == NULL) {
    /* Never submitted, or left behind by a fork: there is nothing to wait for. */
    if (call->descriptor.reader < 0) call->descriptor = descriptor_new();
    descriptor_signal(call->descriptor);
    return call->descriptor.reader;
  }
  pthread_mutex_lock(&engine->mutex);
  if (call->descriptor.reader < 0) {
    call->descriptor = descriptor_new();
    if (engine_is_ready(call)) descriptor_signal(call->descriptor);
  }
  int descriptor = call->descriptor.reader;
  pthread_mutex_unlock(&engine->mutex);
  return descriptor;
}

/* Hands an answer over, whose strings it owns now; one that the driver has not read yet stays. */
static void answer(struct call *call, struct call_answer given) {
  struct engine *engine = engine_of(call);
  if (engine != NULL) {
    pthread_mutex_lock(&engine->mutex);
    bool is_asking = engine_is_asking(call);
    bool is_offer = given.token != NULL || given.fetch;
    bool is_wanted = is_asking || (is_offer && (call_phase(call) == CALL_DONE || token_source_store(call->request.token_source) != NULL));
    bool is_first = call->answer.token == NULL && call->answer.refusal == NULL && !call->answer.fetch;
    if (is_wanted && is_first && !engine->stopping) {
      if (is_asking) set_phase(call, CALL_ACTIVE);
      if (given.token != NULL || given.for_all) atomic_fetch_add(&call->request.token_source->answers, 1);
      call->answer = given;
      given = (struct call_answer){0};
      calm_owner(call);
      post(engine, call, false);
    }
    pthread_mutex_unlock(&engine->mutex);
  }
  secret_free(given.token);
  free(given.refusal);
}

void engine_give_token(struct call *call, const char *value, int64_t lifetime_ms) {
  answer(call, (struct call_answer){.token = strdup(value), .lifetime_ms = lifetime_ms});
}

void engine_refuse_token(struct call *call, const char *message, bool for_all) {
  answer(call, (struct call_answer){.refusal = strdup(message), .for_all = for_all});
}

void engine_fetch_token(struct call *call) {
  answer(call, (struct call_answer){.fetch = true});
}

/* Takes the list; with the mutex held, or where nobody else has the call. */
static struct call_event *take_events(struct call *call) {
  struct call_event *events = call->events;
  call->events = NULL;
  call->events_end = &call->events;
  atomic_store_explicit(&call->has_events, false, memory_order_release);
  return events;
}

/* The engine's notify, while it is served; else NULL. With the mutex held. */
static struct notify *served_notify(const struct engine *engine) {
  return engine->thread_exists && !engine->stopping ? engine->notify : NULL;
}

bool engine_notify(struct call *call, const char **address, uint64_t *number) {
  struct engine *engine = engine_of(call);
  if (engine == NULL) return false;
  pthread_mutex_lock(&engine->mutex);
  if (engine->notify == NULL && !engine->has_no_notify && !engine->stopping) {
    engine->notify = notify_open(&engine->loop.timers);
    engine->has_no_notify = engine->notify == NULL;
    if (engine->notify != NULL) announce(engine);
  }
  struct notify *notify = served_notify(engine);
  pthread_mutex_unlock(&engine->mutex);
  if (notify == NULL) return false;
  *address = notify_address(notify);
  *number = notify_number(notify, call);
  return true;
}

uint64_t engine_subscribe(struct call *call, uint64_t subscriber) {
  struct engine *engine = engine_of(call);
  if (engine == NULL) return 0;
  pthread_mutex_lock(&engine->mutex);
  struct notify *notify = served_notify(engine);
  /* Nothing is sent for this wait that would wake the driver. */
  if (notify != NULL && engine->inbox != NULL) announce(engine);
  pthread_mutex_unlock(&engine->mutex);
  return notify == NULL ? 0 : notify_subscribe(notify, call, subscriber);
}

void engine_unsubscribe(struct call *call) {
  struct engine *engine = engine_of(call);
  if (engine == NULL) return;
  pthread_mutex_lock(&engine->mutex);
  struct notify *notify = served_notify(engine);
  pthread_mutex_unlock(&engine->mutex);
  if (notify == NULL || notify_unsubscribe(notify, call)) engine_cancel(call);
}

void engine_stop_telling(struct call *call, uint64_t subscriber) {
  struct engine *engine = engine_of(call);
  if (engine == NULL) return;
  pthread_mutex_lock(&engine->mutex);
  struct notify *notify = served_notify(engine);
  pthread_mutex_unlock(&engine->mutex);
  if (notify != NULL) notify_stop_telling(notify, call, subscriber);
}

struct call_event *engine_take_events(struct call *call) {
  if (!atomic_load_explicit(&call->has_events, memory_order_acquire)) return NULL;
  struct engine *engine = engine_of(call);
  if (engine == NULL) return take_events(call);
  pthread_mutex_lock(&engine->mutex);
  struct call_event *events = take_events(call);
  calm_owner(call);
  pthread_mutex_unlock(&engine->mutex);
  return events;
}
