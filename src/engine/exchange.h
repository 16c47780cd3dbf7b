/* One call's life as a state machine without I/O: events go in, the next action comes out. Time and randomness are given, so its
   tests neither sleep nor open a socket.

     start ─▶ GET_TOKEN ─▶ SEND ─▶ 2xx … ─▶ FINISH
                  ▲          ├──▶ 401, first time: RENEW_TOKEN (drop that very token) ─▶ SEND
                  │          ├──▶ 3xx within the origin, GET and HEAD: SEND to the new place
                  │          ├──▶ 408 429 500 502 503 504, broken connection: PAUSE ─▶ SEND
                  └──────────┘    anything else ─▶ FINISH                                              */
#ifndef ENGINE_EXCHANGE_H
#define ENGINE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "retry.h"

enum exchange_action {
  EXCHANGE_GET_TOKEN,   /* then exchange_token_ready, or give up with the token's own error */
  EXCHANGE_RENEW_TOKEN, /* the same, after dropping the token that was just refused */
  EXCHANGE_SEND,        /* then exchange_answered */
  EXCHANGE_FOLLOW,      /* the same, to the answer's Location */
  EXCHANGE_PAUSE,       /* until resume_at, then exchange_resumed */
  EXCHANGE_FINISH       /* see finish */
};

enum exchange_finish {
  EXCHANGE_AS_ANSWERED,  /* with the last response or failure */
  EXCHANGE_TOKEN_REFUSED /* 401 with a token that was fetched for this very call, or that cannot be renewed */
};

struct exchange {
  /* The rules, set before exchange_start. */
  bool authorized;    /* a token goes with each request */
  bool renewable;     /* another token can be had after a 401 */
  bool token_only;    /* nothing is sent */
  bool repeatable;    /* see struct retry_attempt */
  bool safe;          /* GET or HEAD: redirects within the origin are followed, and 500 is tried again */
  bool repeats_500;   /* after a 500, too, it is sent again: see struct call_request */
  int max_attempts;
  int64_t deadline_ms; /* monotonic */
  /* The state. */
  int attempts;        /* requests sent */
  int uncounted;       /* of them, those that max_attempts does not limit: refused unprocessed, answered with a 401 that renewed, or with a redirect */
  int redirects;       /* followed */
  bool renewed;        /* a 401 has been answered with a new token once */
  int64_t resume_at;   /* with EXCHANGE_PAUSE, monotonic ms */
  int64_t delay_ms;    /* with EXCHANGE_PAUSE: what resume_at was made of */
  const char *reason;  /* static: why it is sent again, or why not; NULL: nothing to say */
  enum exchange_finish finish; /* with EXCHANGE_FINISH */
};

/* What came of a request. */
struct exchange_answer {
  enum retry_outcome outcome;
  int status;             /* with RETRY_RESPONSE */
  int64_t retry_after_ms; /* -1: not given */
  int repetitions;        /* how often it was sent again without being asked */
  int refusals;           /* of these, how often because the server had refused it unprocessed */
  bool within_origin;     /* a 3xx whose Location is of the same scheme, host and port */
};

#define EXCHANGE_MOST_REDIRECTS 5

/* Each gives the next action. */
enum exchange_action exchange_start(struct exchange *exchange);
enum exchange_action exchange_token_ready(struct exchange *exchange);
enum exchange_action exchange_answered(struct exchange *exchange, const struct exchange_answer *answer, int64_t now_ms,
                                       double random);
enum exchange_action exchange_resumed(struct exchange *exchange);

#endif
