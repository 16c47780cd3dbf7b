/* Whether, and when, a call is sent again. Pure functions: time and randomness are given. */
#ifndef ENGINE_RETRY_H
#define ENGINE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum retry_outcome {
  RETRY_RESPONSE,    /* an HTTP response came whole: see status */
  RETRY_UNSENT,      /* the connection failed before the request was sent: the server cannot have acted */
  RETRY_BROKEN,      /* it broke afterwards: the server may have acted */
  RETRY_PERMANENT    /* trying again cannot help: unknown host, refused certificate, too large, … */
};

struct retry_attempt {
  enum retry_outcome outcome;
  int status;             /* HTTP status with RETRY_RESPONSE */
  bool safe;              /* the method is GET or HEAD */
  bool repeatable;        /* the method is idempotent (all but POST and PATCH) or options.idempotent was given */
  int attempts;           /* made so far, this one included */
  int max_attempts;
  int64_t retry_after_ms; /* what the server asked for; -1: nothing */
  int64_t now_ms;         /* monotonic */
  int64_t deadline_ms;    /* monotonic */
  double random;          /* in [0,1) */
};

struct retry_decision {
  bool again;
  int64_t delay_ms;    /* with again */
  const char *reason;  /* static: why, or why not ("the deadline is nearer than Retry-After", "POST may have acted", …) */
};

/* Decides by API.md's section "Retries". Back-off: RETRY_FIRST_DELAY_MS doubled per attempt up to RETRY_LONGEST_DELAY_MS, of which a
   random half is taken off. A wait that would end at or after the deadline is not begun. */
struct retry_decision retry_decide(const struct retry_attempt *attempt);

/* The reasons of what is not sent again because of its method, or because the wait would be too long. */
extern const char retry_may_have_acted[];
extern const char retry_too_late[];

/* Whether the same call may succeed later, by status (408, 429, 5xx but 501 and 505) or outcome: the error's field `retryable`. */
bool retry_may_succeed_later(enum retry_outcome outcome, int status);

/* Retry-After's value (length bytes): seconds or an HTTP date (all three forms of RFC 9110), against wall_now (s since 1970).
   Gives milliseconds >= 0, or -1 if it is neither. */
int64_t retry_after_parse(const char *value, size_t length, int64_t wall_now);

/* An HTTP date, in any of the three forms: seconds since 1970, or -1. */
int64_t retry_date_parse(const char *value, size_t length);

/* RateLimit-Reset and its like: delta seconds ("50", "50.5", "50;w=300"). Milliseconds, or -1. */
int64_t retry_seconds_parse(const char *value, size_t length);

#define RETRY_FIRST_DELAY_MS 500
#define RETRY_LONGEST_DELAY_MS 30000

#endif
