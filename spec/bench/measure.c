/* Times commands as whole processes, in turn, and prints one table.

   usage: measure ROUNDS NAME COMMAND [NAME COMMAND …]

   Each COMMAND is one string for /bin/sh (begin it with exec). The ratios are to the first and to the second, taken round by round, so that a
   machine whose speed drifts does not matter. A COMMAND that is empty is of a peer that is missing here. One round before the first is not counted. Memory is the process's peak (VmHWM). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double seconds_to_ms(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
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
  struct rusage usage = {0};
  if (child < 0 || wait4(child, &status, 0, &usage) != child) status = 1;
  if (status != 0) peer->failed++;
  if (round < 0) return;
  peer->wall_ms[round] = now_ms() - begin;
  peer->cpu_ms[round] = seconds_to_ms(usage.ru_utime) + seconds_to_ms(usage.ru_stime);
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
  return failed > 0;
}
