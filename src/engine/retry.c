#include "retry.h"

#include <curl/curl.h>
#include <string.h>

/* Half of it is certain, half is left to chance, so that clients that failed together do not come back together. */
static int64_t back_off(int attempts, double random) {
  int64_t delay = RETRY_FIRST_DELAY_MS;
  for (int i = 1; i < attempts && delay < RETRY_LONGEST_DELAY_MS; i++) delay *= 2;
  if (delay > RETRY_LONGEST_DELAY_MS) delay = RETRY_LONGEST_DELAY_MS;
  return delay - (int64_t)(random * (double)delay / 2);
}

static struct retry_decision no(const char *reason) {
  return (struct retry_decision){.again = false, .reason = reason};
}

const char retry_may_have_acted[] = "the server may have acted on it";
const char retry_too_late[] = "the wait would end after the timeout";

/* NULL if the attempt may be made again, else why not; without regard to attempts and time. */
static const char *objection(const struct retry_attempt *attempt) {
  switch (attempt->outcome) {
    case RETRY_PERMANENT:
      return "trying again cannot help";
    case RETRY_UNSENT:
      return NULL;
    case RETRY_BROKEN:
      return attempt->repeatable ? NULL : retry_may_have_acted;
    case RETRY_RESPONSE:
      break;
  }
  switch (attempt->status) {
    case 429:
      return NULL;
    case 503:
      return attempt->repeatable || attempt->retry_after_ms >= 0 ? NULL : retry_may_have_acted;
    case 500:
      return attempt->safe ? NULL : "the answer is final";
    case 408:
    case 502:
    case 504:
      return attempt->repeatable ? NULL : retry_may_have_acted;
    default:
      return "the answer is final";
  }
}

static const char *cause(const struct retry_attempt *attempt) {
  if (attempt->outcome == RETRY_RESPONSE && attempt->retry_after_ms >= 0) return "Retry-After";
  if (attempt->outcome == RETRY_RESPONSE) return attempt->status == 500 ? "the service failed" : "the service is busy";
  return attempt->outcome == RETRY_UNSENT ? "the connection failed" : "the connection broke";
}

struct retry_decision retry_decide(const struct retry_attempt *attempt) {
  const char *against = objection(attempt);
  if (against != NULL) return no(against);
  if (attempt->attempts >= attempt->max_attempts) return no("max_attempts is reached");
  int64_t delay = attempt->retry_after_ms >= 0 ? attempt->retry_after_ms : back_off(attempt->attempts, attempt->random);
  if (delay >= attempt->deadline_ms - attempt->now_ms) return no(retry_too_late);
  return (struct retry_decision){.again = true, .delay_ms = delay, .reason = cause(attempt)};
}

bool retry_may_succeed_later(enum retry_outcome outcome, int status) {
  if (outcome != RETRY_RESPONSE) return outcome != RETRY_PERMANENT;
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

int64_t retry_seconds_parse(const char *value, size_t length) {
  const int64_t most_ms = INT64_MAX / 4;
  int64_t ms = 0;
  size_t i = 0;
  for (; i < length && value[i] >= '0' && value[i] <= '9'; i++)
    if (ms < most_ms / 10) ms = ms * 10 + (value[i] - '0') * 1000;
  if (i == 0) return -1;
  if (i < length && value[i] == '.') {
    int64_t unit = 100;
    for (i++; i < length && value[i] >= '0' && value[i] <= '9'; i++, unit /= 10) ms += (value[i] - '0') * unit;
  }
  return i == length || value[i] == ';' || value[i] == ',' || value[i] == ' ' ? ms : -1;
}

int64_t retry_date_parse(const char *value, size_t length) {
  char date[64];
  if (length == 0 || length >= sizeof date || memchr(value, '\0', length) != NULL) return -1;
  memcpy(date, value, length);
  date[length] = '\0';
  /* libcurl reads all three forms of RFC 9110, section 5.6.7, whatever the locale and time zone. */
  return (int64_t)curl_getdate(date, NULL);
}

int64_t retry_after_parse(const char *value, size_t length, int64_t wall_now) {
  const int64_t longest_s = INT64_MAX / 4000;
  int64_t delay_ms = retry_seconds_parse(value, length);
  if (delay_ms >= 0) return delay_ms;
  int64_t then = retry_date_parse(value, length);
  if (then == -1) return -1; /* no date; the second before 1970 is given as 1970 */
  if (then <= wall_now) return 0;
  return then - wall_now > longest_s ? longest_s * 1000 : (then - wall_now) * 1000;
}
