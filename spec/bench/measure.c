/* Times commands as whole processes, in turn, and prints one table.

   usage: measure ROUNDS NAME COMMAND [NAME COMMAND …]

   Each COMMAND is one string for /bin/sh (begin it with exec). The ratios are to the first and to
   the second, taken round by round, so that a machine whose speed drifts does not matter. A COMMAND
   that is empty is of a peer that is missing here. One round before the first is not counted.
   Memory is the process's peak (VmHWM). CPU is what the scheduler has counted for all of its
   threads, those that have ended too: getrusage goes by ticks, which a thread that wakes often
   seldom meets. Below the table stands what else the machine had to do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct peer {
  const char *name, *command;
  double *wall_ms, *cpu_ms, *to_first, *to_second;
  long peak_kb;
  int failed;
};

/* Medians of fewer rounds are for a look, and not to be quoted. */
#define FEWEST_ROUNDS 11

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The CPU time, in ms, of the processes that this one, which has ended, had waited for. */
static double children_cpu_ms(pid_t process) {
  char path[64], line[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  const char *fields = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
  /* After the name: the state, ten numbers, the process's own two times. */
  static const char form[] = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu";
  if (fields != NULL && sscanf(fields, form, &user, &system) != 2) user = system = 0;
  fclose(file);
  return (double)(user + system) * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

/* The CPU time, in ms, of a process that has ended and has not been waited for. */
static double cpu_ms_of(pid_t process) {
  clockid_t clock;
  struct timespec used = {0};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6 + children_cpu_ms(process);
}

/* Runs the command once; its output goes nowhere, its errors to our own. */
static void run(struct peer *peer, int round) {
  if (peer->command[0] == '\0') return;
  double begin = now_ms();
  pid_t child = fork();
  if (child == 0) {
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, 0);
    dup2(nowhere, 1);
    execl("/bin/sh", "sh", "-c", peer->command, (char *)NULL);
    _exit(127);
  }
  int status = 1;
  siginfo_t ended;
  struct rusage usage = {0};
  if (child > 0) waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
  double wall_ms = now_ms() - begin, cpu_ms = cpu_ms_of(child);
  if (child < 0 || wait4(child, &status, 0, &usage) != child) status = 1;
  if (status != 0) peer->failed++;
  if (round < 0) return;
  peer->wall_ms[round] = wall_ms;
  peer->cpu_ms[round] = cpu_ms;
  if (usage.ru_maxrss > peer->peak_kb) peer->peak_kb = usage.ru_maxrss;
}

static int by_value(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

/* Sorts the figures and gives the middle one. */
static double median(double *figures, int count) {
  qsort(figures, (size_t)count, sizeof *figures, by_value);
  return count % 2 == 1 ? figures[count / 2] : (figures[count / 2 - 1] + figures[count / 2]) / 2;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 0;
  int count = (argc - 2) / 2;
  if (rounds < 1 || count < 1 || argc % 2 != 0) {
    fprintf(stderr, "usage: measure ROUNDS NAME COMMAND [NAME COMMAND …]\n");
    return 2;
  }
  double load_before = 0;
  getloadavg(&load_before, 1);
  struct peer *peers = calloc((size_t)count, sizeof *peers);
  for (int i = 0; i < count; i++) {
    peers[i] = (struct peer){.name = argv[2 + 2 * i], .command = argv[3 + 2 * i]};
    peers[i].wall_ms = calloc((size_t)rounds, sizeof(double));
    peers[i].cpu_ms = calloc((size_t)rounds, sizeof(double));
    peers[i].to_first = calloc((size_t)rounds, sizeof(double));
    peers[i].to_second = calloc((size_t)rounds, sizeof(double));
  }
  for (int round = -1; round < rounds; round++)
    for (int i = 0; i < count; i++) run(&peers[i], round);
  for (int i = 0; i < count; i++)
    for (int round = 0; round < rounds; round++) {
      peers[i].to_first[round] = peers[i].wall_ms[round] / peers[0].wall_ms[round];
      peers[i].to_second[round] = peers[i].wall_ms[round] / peers[count > 1].wall_ms[round];
    }

  int failed = 0;
  printf("%-34s %9s %9s %9s %9s %8s %8s %8s\n", "", "median ms", "min", "max", "cpu ms", "peak MB", "to 1st", "to 2nd");
  for (int i = 0; i < count; i++) {
    struct peer *peer = &peers[i];
    failed += peer->failed;
    if (peer->command[0] == '\0') {
      printf("%-34s missing\n", peer->name);
      continue;
    }
    if (peer->failed > 0) {
      printf("%-34s failed in %d of %d runs\n", peer->name, peer->failed, rounds + 1);
      continue;
    }
    double middle = median(peer->wall_ms, rounds);
    printf("%-34s %9.1f %9.1f %9.1f %9.1f %8.1f %8.2f %8.2f\n", peer->name, middle, peer->wall_ms[0], peer->wall_ms[rounds - 1],
           median(peer->cpu_ms, rounds), (double)peer->peak_kb / 1024, median(peer->to_first, rounds), median(peer->to_second, rounds));
  }
  double load[3] = {0};
  getloadavg(load, 3);
  printf("%d rounds in turn%s; load %.1f before, %.1f after, on %ld processors\n", rounds,
         rounds < FEWEST_ROUNDS ? ", which are too few to be quoted" : "", load_before, load[0],
         sysconf(_SC_NPROCESSORS_ONLN));
  return failed > 0;
}
