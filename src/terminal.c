/* require "uipath.terminal": what the prompt and the command need of the terminal, of signals, and of readline, and Lua has not.
   One Lua state of a process uses it: signals are the process's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "call_object.h"
#include "engine/clock.h"
#include "engine/descriptor.h"

#define HOOK_INSTRUCTIONS 1000 /* between two looks at whether Ctrl-C was pressed */
#define LONGEST_READ 4096
/* So long may go on what has caught the error that Ctrl-C raised, to clean up; then it is raised again, as a loop around pcall may have
   swallowed it. */
#define PEACE_MS 500

__attribute__((visibility("default"))) int luaopen_uipath_terminal(lua_State *L);

static volatile sig_atomic_t interrupted; /* how often Ctrl-C was pressed since it was last looked at */
static volatile sig_atomic_t resized;
static int64_t raised_ms;           /* monotonic, when Ctrl-C last raised an error in what runs still; 0: not */
static lua_State *volatile running; /* what is to be interrupted: the state that terminal.run runs in, or NULL */
static int wake_reader = -1;        /* a pipe into which each signal writes, so that none is missed before a poll */
static int wake_writer = -1;

/* ======================================================================== */
/* Ctrl-C in running code                                                   */
/* ======================================================================== */

static void interrupt_now(lua_State *L, lua_Debug *activation);

/* Has the state interrupted at its next instruction: the one thing that a signal may do to a state, as in lua.c. */
static void interrupt_soon(lua_State *L) {
  lua_sethook(L, interrupt_now, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* Looks whether Ctrl-C was pressed, now and then. Coroutines have this hook from whoever made them. */
static void look_for_interrupt(lua_State *L, lua_Debug *activation) {
  (void)activation;
  if (running == NULL) return;
  if (raised_ms != 0 && clock_monotonic_ms() - raised_ms > PEACE_MS) {
    /* As if it had been pressed again: raised at each instruction, until all is left. */
    interrupted = 2;
    interrupt_soon(running);
    interrupt_soon(L);
  }
  if (interrupted > 0) luaL_error(L, "interrupted!");
}

static void set_usual_hook(lua_State *L) {
  lua_sethook(L, look_for_interrupt, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

/* Raises at once: set by the signal. What catches the error may clean up in peace for a while, unless Ctrl-C is pressed again. */
static void interrupt_now(lua_State *L, lua_Debug *activation) {
  (void)activation;
  raised_ms = clock_monotonic_ms();
  if (interrupted <= 1) {
    interrupted = 0;
    set_usual_hook(L);
  }
  luaL_error(L, "interrupted!");
}

/* run(function, …) → true, its results | false, what it raised: pcall, which Ctrl-C ends */
static int run(lua_State *L) {
  luaL_checkany(L, 1);
  interrupted = 0;
  raised_ms = 0;
  set_usual_hook(L);
  running = L;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  running = NULL;
  interrupted = 0;
  lua_sethook(L, NULL, 0, 0);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* ======================================================================== */
/* Signals                                                                  */
/* ======================================================================== */

static void on_signal(int number) {
  int saved = errno;
  if (number == SIGINT) {
    if (interrupted < 2) interrupted++;
    lua_State *L = running;
    if (L != NULL) interrupt_soon(L);
  } else if (number == SIGWINCH) {
    resized = 1;
  }
  if (number != SIGALRM && wake_writer >= 0) {
    ssize_t written = write(wake_writer, "", 1);
    (void)written; /* a full pipe wakes as well */
  }
  errno = saved;
}

static void handle(int number, int flags) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

/* catch(): from now on Ctrl-C and changes of the window's size are for `run` and `wait` */
static int catch_signals(lua_State *L) {
  if (wake_reader < 0) {
    int ends[2];
    if (!descriptor_pipe(ends)) return luaL_error(L, "no pipe: %s", strerror(errno));
    wake_reader = ends[0];
    wake_writer = ends[1];
  }
  handle(SIGINT, 0); /* without SA_RESTART: what blocks is to end */
  handle(SIGWINCH, SA_RESTART);
  return 0;
}

/* tick(seconds | nil): a signal every so many seconds, which lets a wait for a call look up; nil ends it */
static int tick(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, 0);
  luaL_argcheck(L, seconds >= 0 && seconds < 1000, 1, "seconds");
  if (seconds > 0) handle(SIGALRM, SA_RESTART);
  struct timeval interval = {.tv_sec = (time_t)seconds, .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
  setitimer(ITIMER_REAL, &(struct itimerval){.it_interval = interval, .it_value = interval}, NULL);
  return 0;
}

/* while_waiting(function | nil): what a wait for a call does when a signal has interrupted it */
static int while_waiting(lua_State *L) {
  lua_settop(L, 1);
  call_on_interruption(L);
  return 0;
}

/* ======================================================================== */
/* Reading                                                                  */
/* ======================================================================== */

/* What has happened to us since the last time; NULL: nothing. */
static const char *take_news(void) {
  char bytes[64];
  while (wake_reader >= 0 && read(wake_reader, bytes, sizeof bytes) > 0) continue;
  if (interrupted > 0) {
    interrupted = 0;
    return "interrupted";
  }
  if (resized) {
    resized = 0;
    return "resized";
  }
  return NULL;
}

/* wait([without_input]) → "input", "interrupted" or "resized": the first to come */
static int wait_for_news(lua_State *L) {
  struct pollfd files[2] = {{.fd = wake_reader, .events = POLLIN}, {.fd = lua_toboolean(L, 1) ? -1 : STDIN_FILENO, .events = POLLIN}};
  const char *news = take_news();
  while (news == NULL) {
    if (poll(files, 2, -1) < 0 && errno != EINTR) return luaL_error(L, "poll: %s", strerror(errno));
    news = take_news();
    if (news == NULL && files[1].revents != 0) news = "input";
  }
  lua_pushstring(L, news);
  return 1;
}

/* read() → what is there of standard input, which must be ready; nil at its end */
static int read_input(lua_State *L) {
  char bytes[LONGEST_READ];
  ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
  if (length < 0 && (errno == EINTR || errno == EAGAIN)) length = 0;
  else if (length <= 0) return 0;
  lua_pushlstring(L, bytes, (size_t)length);
  return 1;
}

/* readline(name) → whether it was there: calls a function of the GNU readline that the module `readline` has loaded. That module cannot
   end a line half-way: it closes the terminal before readline has given it back. */
static int call_readline(lua_State *L) {
  static const char *const names[] = {"rl_callback_handler_remove", "rl_resize_terminal", NULL};
  const char *name = names[luaL_checkoption(L, 1, NULL, names)];
  void *library = dlopen("libreadline.so.8", RTLD_NOW | RTLD_NOLOAD);
  void (*function)(void) = NULL;
  if (library != NULL) {
    void *found = dlsym(library, name);
    memcpy(&function, &found, sizeof found); /* as POSIX has it; ISO C knows no such cast */
    if (function != NULL) function();
    dlclose(library);
  }
  lua_pushboolean(L, function != NULL);
  return 1;
}

/* ======================================================================== */
/* The terminal, and a file                                                 */
/* ======================================================================== */

/* is_terminal(descriptor) → boolean */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* width() → the columns of the terminal that standard output or error is; nil if neither is one */
static int width(lua_State *L) {
  struct winsize size;
  for (int descriptor = STDOUT_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      lua_pushinteger(L, size.ws_col);
      return 1;
    }
  }
  return 0;
}

/* now() → seconds of a clock that never jumps */
static int now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)clock_monotonic_ms() / 1000);
  return 1;
}

/* make_private(path) → whether the file is there: makes one that only its owner can read */
static int make_private(lua_State *L) {
  int descriptor = open(luaL_checkstring(L, 1), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) close(descriptor);
  lua_pushboolean(L, descriptor >= 0);
  return 1;
}

int luaopen_uipath_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"run", run},           {"catch", catch_signals}, {"tick", tick},         {"while_waiting", while_waiting},
      {"wait", wait_for_news}, {"read", read_input},     {"readline", call_readline}, {"is_terminal", is_terminal},
      {"width", width},       {"now", now}, {"make_private", make_private}, {NULL, NULL},
  };
  lua_createtable(L, 0, 12);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
