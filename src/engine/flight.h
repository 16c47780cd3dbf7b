/* A call under way: does what its exchange says. */
#ifndef ENGINE_FLIGHT_H
#define ENGINE_FLIGHT_H

#include "loop.h"
#include "pace.h"

struct flight {
  struct call *call;  /* one reference */
  struct loop *loop;
  struct job job;
  struct turn turn;
  struct timer deadline;
  struct timer progress;      /* when the owner is told next how far what is streamed has come */
  int64_t told_done;          /* what it was told last, -1: nothing yet */
  unsigned told_restarts;     /* of the download, likewise */
  int64_t submitted_ms; /* monotonic */
  struct token *token;  /* sent with the last request; one reference or NULL */
  struct buffer redirected; /* the URL that was redirected to, empty if none */
  bool waits_for_token;
  struct flight *previous_waiter, *next_waiter; /* for the same token */
  struct flight *previous, *next;               /* in loop->flights */
};

/* Why there is no token; all borrowed. */
struct token_failure {
  enum call_error error; /* CALL_AUTH, CALL_NETWORK, CALL_TIMEOUT, … */
  const char *message, *hint, *code;
  int status;
  int64_t retry_after_ms;
  bool retryable;
};

/* Begins a submitted call, taking over the caller's reference; one that is cancelled already ends here. Always comes to engine_call_done. */
void flight_start(struct loop *loop, struct call *call, bool cancelled);

/* Ends it as cancelled. */
void flight_cancel(struct flight *flight);

/* What token_cache_request comes to. The token is retained. */
void flight_token_ready(struct flight *flight, struct token *token);
void flight_token_failed(struct flight *flight, const struct token_failure *failure);

/* Frees all flights of the loop as they are: their calls never end. */
void flights_free(struct loop *loop);

#endif
