/* Run twice: as it is where files can be without a name, and as it is elsewhere. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/file_sink.h"

static char folder[] = "/tmp/uipath-sink.XXXXXX";
static char path[64];

/* How many names the folder has. */
static int names(void) {
  int count = -2;
  DIR *directory = opendir(folder);
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static const char *content(void) {
  static char text[64];
  FILE *file = fopen(path, "rb");
  if (file == NULL) return "none";
  size_t length = fread(text, 1, sizeof text - 1, file);
  text[length] = '\0';
  fclose(file);
  return text;
}

static void put(const char *text) {
  FILE *file = fopen(path, "wb");
  fputs(text, file);
  fclose(file);
}

static void open_sink(struct file_sink *sink) {
  assert_true(file_sink_init(sink, path));
  assert_true(file_sink_open(sink));
  assert_true(sink->descriptor > STDERR_FILENO);
  assert_true(fcntl(sink->descriptor, F_GETFD) & FD_CLOEXEC);
}

static void write_all(struct file_sink *sink, const char *text) {
  assert_int_equal(file_sink_write(sink, text, strlen(text)), FILE_SINK_WRITTEN);
}

static int begin(void **state) {
  (void)state;
  strcpy(folder, "/tmp/uipath-sink.XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/file", folder);
  return 0;
}

static int end(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder); /* which must be empty by now */
}

static void takes_its_place_when_it_is_whole(void **state) {
  (void)state;
  put("before");
  struct file_sink sink;
  open_sink(&sink);
  write_all(&sink, "some ");
  assert_string_equal(content(), "before");
  write_all(&sink, "bytes");
  assert_int_equal(sink.length, 10);
  assert_true(file_sink_commit(&sink));
  assert_string_equal(content(), "some bytes");
  assert_int_equal(names(), 1);
  file_sink_free(&sink);
  assert_string_equal(content(), "some bytes");
}

static void leaves_nothing_when_it_is_discarded(void **state) {
  (void)state;
  put("before");
  struct file_sink sink;
  open_sink(&sink);
  write_all(&sink, "some ");
  file_sink_free(&sink);
  assert_string_equal(content(), "before");
  assert_int_equal(names(), 1);
}

static void begins_anew(void **state) {
  (void)state;
  struct file_sink sink;
  open_sink(&sink);
  write_all(&sink, "more than that");
  assert_true(file_sink_restart(&sink, false));
  assert_int_equal(sink.length, 0);
  write_all(&sink, "less");
  assert_true(file_sink_commit(&sink));
  assert_string_equal(content(), "less");
  file_sink_free(&sink);
}

static void has_the_mode_of_what_it_replaces(void **state) {
  (void)state;
  struct stat status;
  put("before");
  chmod(path, 04751);
  struct file_sink sink;
  open_sink(&sink);
  assert_true(file_sink_commit(&sink));
  stat(path, &status);
  assert_int_equal(status.st_mode & 07777, 0751); /* whose program it was is no longer true */
  file_sink_free(&sink);
  unlink(path);
  mode_t mask = umask(027);
  open_sink(&sink);
  assert_true(file_sink_commit(&sink));
  umask(mask);
  stat(path, &status);
  assert_int_equal(status.st_mode & 07777, 0640);
  file_sink_free(&sink);
}

/* The process ends in the middle; and so does the child of a fork, which has nothing to take away. */
static void leaves_nothing_when_the_process_ends(void **state) {
  (void)state;
  int status;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    struct file_sink sink;
    open_sink(&sink);
    write_all(&sink, "some ");
    exit(names() > 1 ? 1 : 0);
  }
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_int_equal(names(), 0);
  struct file_sink sink;
  open_sink(&sink);
  write_all(&sink, "some ");
  child = fork();
  if (child == 0) {
    file_sink_free(&sink);
    exit(0);
  }
  waitpid(child, &status, 0);
  write_all(&sink, "bytes");
  assert_true(file_sink_commit(&sink));
  assert_string_equal(content(), "some bytes");
  file_sink_free(&sink);
}

static void says_what_it_cannot_write(void **state) {
  (void)state;
  struct file_sink sink;
  assert_true(file_sink_init(&sink, folder));
  assert_false(file_sink_open(&sink));
  assert_non_null(strstr(sink.failure, "Is a directory"));
  file_sink_free(&sink);
  snprintf(path, sizeof path, "%s/none/file", folder);
  assert_true(file_sink_init(&sink, path));
  assert_false(file_sink_open(&sink));
  assert_non_null(strstr(sink.failure, "No such file"));
  file_sink_free(&sink);
  /* What is a folder by the time when it is whole. */
  snprintf(path, sizeof path, "%s/file", folder);
  open_sink(&sink);
  write_all(&sink, "some");
  assert_int_equal(mkdir(path, 0700), 0);
  assert_false(file_sink_commit(&sink));
  assert_non_null(strstr(sink.failure, "cannot write"));
  file_sink_free(&sink);
  assert_int_equal(names(), 1);
  rmdir(path);
}

static void waits_for_the_reader_of_a_pipe(void **state) {
  (void)state;
  static char bytes[200000], got[200000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 + i / 251);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct file_sink sink;
  char name[32];
  snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
  assert_true(file_sink_init(&sink, name));
  assert_true(file_sink_open(&sink));
  size_t taken = 0;
  int waits = 0;
  /* The same bytes each time that it had to wait. */
  while (file_sink_write(&sink, bytes, sizeof bytes) == FILE_SINK_WAITS) {
    assert_false(file_sink_is_ready(&sink));
    assert_int_equal(sink.length, 0);
    taken += (size_t)read(ends[0], got + taken, 30000);
    waits++;
  }
  assert_true(waits > 1);
  assert_int_equal(sink.length, sizeof bytes);
  /* Begun anew, the same leave nothing twice; others cannot be. */
  assert_true(file_sink_restart(&sink, true));
  assert_int_equal(file_sink_write(&sink, bytes, 100), FILE_SINK_WRITTEN);
  assert_false(file_sink_restart(&sink, false));
  assert_non_null(strstr(sink.failure, "cannot be taken back"));
  file_sink_free(&sink);
  close(ends[1]);
  for (ssize_t count; (count = read(ends[0], got + taken, sizeof got - taken)) > 0;) taken += (size_t)count;
  assert_int_equal(taken, sizeof bytes);
  assert_memory_equal(got, bytes, sizeof bytes);
  close(ends[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(takes_its_place_when_it_is_whole, begin, end),
      cmocka_unit_test_setup_teardown(leaves_nothing_when_it_is_discarded, begin, end),
      cmocka_unit_test_setup_teardown(begins_anew, begin, end),
      cmocka_unit_test_setup_teardown(has_the_mode_of_what_it_replaces, begin, end),
      cmocka_unit_test_setup_teardown(leaves_nothing_when_the_process_ends, begin, end),
      cmocka_unit_test_setup_teardown(says_what_it_cannot_write, begin, end),
      cmocka_unit_test_setup_teardown(waits_for_the_reader_of_a_pipe, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
