#include "trust.h"

#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

/* A file may be another one without a newer date, as where a link is led elsewhere. */
#define LONGEST_AGE_S 600

/* By so much the dates of files may be behind the clock. */
#define COARSENESS_MS 50

static int64_t to_ms(struct timespec time) {
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

#ifdef __APPLE__
#define CHANGED_AT(status) (status).st_ctimespec
#else
#define CHANGED_AT(status) (status).st_ctim
#endif

/* When the file was written, renamed or put there: the date of its contents can be set at will. -1:
   it cannot be looked at, and libcurl will say so. */
static int64_t changed_ms_of(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? to_ms(CHANGED_AT(status)) : -1;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return to_ms(now);
}

long trust_longest_age(int64_t changed_ms, int64_t now) {
  int64_t seconds = (now - changed_ms - COARSENESS_MS) / 1000;
  if (seconds < 0) return 0;
  return seconds > LONGEST_AGE_S ? LONGEST_AGE_S : (long)seconds;
}

bool trust_set(CURL *easy, const struct transport_settings *settings, enum trust trust) {
  const char *file = settings->ca_file, *directory = settings->ca_dir;
  if (file == NULL && directory == NULL) return true;
  if (file != NULL && directory != NULL) {
    if (trust == TRUST_DIRECTORY) file = NULL;
    if (trust == TRUST_FILE) directory = NULL;
  }
  if (file != NULL && directory == NULL) {
    int64_t changed_ms = changed_ms_of(file);
    long age = changed_ms < 0 ? 0 : trust_longest_age(changed_ms, now_ms());
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, age);
  }
  /* Both are set: libcurl's built-in ones would be loaded beside the other. */
  return curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CAPATH, directory) == CURLE_OK;
}
