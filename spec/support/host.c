/* A program that hosts Lua states, for what a spec cannot do from within one: host [--threads N] script [argument …].

   Each of N threads (1) opens a state of its own and runs the script in it, with the arguments in `arg` and these functions in `host`:
     thread()                 its number, from 1
     fork() → pid             0 in the child, which goes on with the script
     wait(pid) → status       the exit status, or 128 + the number of a signal
     exit(status)             ends the process as os.exit does; quit(status) does so without any handler (_exit)
     run(text)                runs a text in a new state, and closes that
     jump(real, boot)         sets clocks forward by so many seconds (or back): the wall clock, and the one that counts suspensions
     now() → seconds          of the monotonic clock
     sleep(seconds)
     descriptors() → count    how many are open
     memory() → kilobytes, kilobytes  resident now; allocated now, which is exact with MALLOC_ARENA_MAX=1
     starve(f, n) → starved, ok, err   calls f while its state gets memory n times and then no more; whether it came to that
     listen() → port          of a socket on the loopback that accepts nobody: the kernel completes the connection, no byte is read
   The exit status is 1 if any script has failed. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 16
#define EXPORTED __attribute__((visibility("default")))

/* ======================================================================== */
/* Clocks: these take the place of the C library's for everything in the process. */
/* ======================================================================== */

static _Atomic time_t real_ahead, boot_ahead;

EXPORTED int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += real_ahead;
  if (clock == CLOCK_BOOTTIME) now->tv_sec += boot_ahead;
  return result;
}

EXPORTED time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) *result = now.tv_sec;
  return now.tv_sec;
}

static int host_jump(lua_State *L) {
  real_ahead += (time_t)luaL_checknumber(L, 1);
  boot_ahead += (time_t)luaL_optnumber(L, 2, 0);
  return 0;
}

static int host_now(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

static int host_sleep(lua_State *L) {
  usleep((useconds_t)(luaL_checknumber(L, 1) * 1e6));
  return 0;
}

/* ======================================================================== */
/* Processes                                                                */
/* ======================================================================== */

static bool is_forked;

/* Asked by LeakSanitizer at the end. What only the parent's threads knew of, on their stacks, is lost in the child of a fork. */
EXPORTED int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
  return is_forked;
}

/* For the child of a fork: its threads get larger stacks. ThreadSanitizer knows threads by where they are, those of the parent, too. */
static void start_elsewhere(void) {
  size_t size = 0;
  pthread_attr_t attributes;
  is_forked = true;
  if (pthread_getattr_default_np(&attributes) != 0 || pthread_attr_getstacksize(&attributes, &size) != 0) return;
  pthread_attr_setstacksize(&attributes, size + (1 << 20));
  pthread_setattr_default_np(&attributes);
}

static int host_fork(lua_State *L) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) start_elsewhere();
  lua_pushinteger(L, pid);
  return 1;
}

static int host_wait(lua_State *L) {
  int status = 0;
  if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0) return luaL_error(L, "there is no such child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 1;
}

static int host_exit(lua_State *L) {
  exit((int)luaL_checkinteger(L, 1));
}

static int host_quit(lua_State *L) {
  fflush(NULL);
  _exit((int)luaL_checkinteger(L, 1));
}

static int host_descriptors(lua_State *L) {
  DIR *directory = opendir("/proc/self/fd");
  int count = -3; /* ".", ".." and the directory's own */
  if (directory == NULL) return luaL_error(L, "there is no /proc");
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  lua_pushinteger(L, count);
  return 1;
}

static int host_memory(lua_State *L) {
  long total = 0, resident = 0;
  malloc_trim(0); /* what is free, but between what is not, is no leak */
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &total, &resident) != 2) return luaL_error(L, "there is no /proc");
  fclose(file);
  lua_pushinteger(L, resident * (sysconf(_SC_PAGESIZE) / 1024));
  lua_pushinteger(L, (lua_Integer)(mallinfo2().uordblks / 1024));
  return 2;
}

static int host_listen(lua_State *L) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    return luaL_error(L, "no port is to be had");
  lua_pushinteger(L, ntohs(address.sin_port));
  return 1;
}

/* ======================================================================== */
/* States                                                                   */
/* ======================================================================== */

static int argument_count;
static char **arguments; /* [0]: the script */
static _Thread_local lua_Integer grants_left = -1; /* how often a state still gets memory; -1: always */
static _Thread_local bool starved;

/* lua_Alloc; what becomes smaller is always granted, as Lua expects. */
static void *allocate(void *user, void *block, size_t old_size, size_t size) {
  (void)user;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (grants_left >= 0 && (block == NULL || size > old_size)) {
    if (grants_left == 0) starved = true;
    if (starved) return NULL;
    grants_left--;
  }
  return realloc(block, size);
}

static int host_starve(lua_State *L) {
  lua_Integer grants = luaL_checkinteger(L, 2);
  lua_settop(L, 1);
  starved = false;
  grants_left = grants;
  bool ok = lua_pcall(L, 0, 0, 0) == 0;
  grants_left = -1;
  if (ok) lua_pushnil(L);
  lua_pushboolean(L, starved);
  lua_insert(L, 1);
  lua_pushboolean(L, ok);
  lua_insert(L, 2);
  return 3;
}

/* chroot(folder) → true | nil, message: makes it the root of the process, and the current folder */
static int host_chroot(lua_State *L) {
  if (chroot(luaL_checkstring(L, 1)) == 0 && chdir("/") == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

/* A new state, with `host` for the thread of that number. */
static lua_State *new_state(int thread);

static int host_thread(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* What was raised, as text; it stays on the stack. */
static const char *raised(lua_State *L) {
  lua_getglobal(L, "tostring");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  return lua_tostring(L, -1);
}

static int host_run(lua_State *L) {
  lua_State *other = new_state(0);
  if (luaL_dostring(other, luaL_checkstring(L, 1)) != 0) {
    lua_pushstring(L, raised(other));
    lua_close(other);
    return lua_error(L);
  }
  lua_close(other);
  return 0;
}

static lua_State *new_state(int thread) {
  static const luaL_Reg functions[] = {
      {"fork", host_fork},   {"wait", host_wait},     {"exit", host_exit},
      {"quit", host_quit},   {"run", host_run},       {"jump", host_jump},
      {"now", host_now},     {"sleep", host_sleep},   {"descriptors", host_descriptors},
      {"memory", host_memory}, {"listen", host_listen}, {"starve", host_starve},
      {"chroot", host_chroot}, {NULL, NULL}};
#if LUA_VERSION_NUM >= 505
  lua_State *L = lua_newstate(allocate, NULL, luaL_makeseed(NULL));
#else
  lua_State *L = lua_newstate(allocate, NULL);
#endif
  luaL_openlibs(L);
  lua_newtable(L);
  for (const luaL_Reg *each = functions; each->name != NULL; each++) {
    lua_pushcfunction(L, each->func);
    lua_setfield(L, -2, each->name);
  }
  lua_pushinteger(L, thread);
  lua_pushcclosure(L, host_thread, 1);
  lua_setfield(L, -2, "thread");
  lua_setglobal(L, "host");
  lua_newtable(L);
  for (int i = 0; i < argument_count; i++) {
    lua_pushstring(L, arguments[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
  return L;
}

/* What a thread does: NULL if all went well. */
static void *run_script(void *number) {
  lua_State *L = new_state((int)(intptr_t)number);
  bool failed = luaL_dofile(L, arguments[0]) != 0;
  if (failed) fprintf(stderr, "host: %s\n", raised(L));
  lua_close(L);
  return failed ? arguments : NULL;
}

int main(int count, char **words) {
  int thread_count = 1, first = 1;
  if (count > 2 && strcmp(words[1], "--threads") == 0) {
    thread_count = atoi(words[2]);
    first = 3;
  }
  if (count <= first || thread_count < 1 || thread_count > MOST_THREADS) {
    fprintf(stderr, "host [--threads N] script [argument …]\n");
    return 2;
  }
  argument_count = count - first;
  arguments = words + first;
  if (thread_count == 1) return run_script((void *)(intptr_t)1) == NULL ? 0 : 1;

  pthread_t threads[MOST_THREADS];
  int status = 0;
  for (int i = 0; i < thread_count; i++)
    if (pthread_create(&threads[i], NULL, run_script, (void *)(intptr_t)(i + 1)) != 0) return 2;
  for (int i = 0; i < thread_count; i++) {
    void *result = NULL;
    pthread_join(threads[i], &result);
    if (result != NULL) status = 1;
  }
  return status;
}
