/* What whoever drives the engine works on: the transfers under way and the timers. Nothing here is locked: there is one driver. */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"
#include "timer.h"
#include "transfer.h"

struct engine;
struct flight;
struct notify;
struct origin;
struct services;
struct token_cache;

/* A request with its repetitions, on behalf of a call or of a token source. */
struct job {
  struct exchange exchange;
  struct transfer transfer;
  struct origin *origin;                                        /* of the transfer under way */
  struct timer pause;                                           /* before it is sent again */
  int64_t sent_ms;                                              /* monotonic, of the last sending */
  void (*ended)(void *owner, const struct transfer_end *end);   /* the transfer is over: called once for each loop_send */
  void *owner;
  struct job *next_packed;                                      /* in the loop's list */
};

#define SPARE_HANDLES 32

struct loop {
  struct engine *engine;
  CURLM *multi;
  CURLSH *share;                /* TLS sessions */
  struct connections connections;
  CURL *spare[SPARE_HANDLES];   /* easy handles to use again */
  size_t spare_count;
  size_t added;                 /* handles that libcurl works on */
  struct timers timers;         /* monotonic */
  struct job *packed;           /* those whose transfers went well, and whose responses are to be unpacked before they are passed on */
  bool has_started;             /* since this was last false, libcurl has begun to send something
                                   over a connection that others may share */
  size_t under_way;             /* flights and token fetches: 0 means that nobody need drive */
  struct flight *flights;       /* all of them */
  bool has_straight;            /* there has been a download into what is no regular file */
  bool has_paused;              /* one of these waits for its reader */
  struct token_cache *tokens;   /* all of them */
  struct services *services;    /* all of them: see pace.h */
  struct origin *origins;       /* all of them: see origin.h */
  size_t origin_count;
  size_t origin_room;           /* when they are so many, those that nobody uses are dropped */
  long connections_per_host;    /* that libcurl may have */
  struct notify *notify;        /* the engine's, once it has one: served while the loop sleeps */
  uint64_t random_state;
};

/* false: no memory; then loop_close is due all the same. */
bool loop_open(struct loop *loop, struct engine *engine);

/* Ends all that is under way without a word to its owners and frees everything. */
void loop_close(struct loop *loop);

/* One round: lets libcurl read and write, passes on what has ended, runs the timers that are due. Never blocks; of responses that take long
   to unpack it passes on one alone, so that who waits for that one goes on with it, and of a very long one it unpacks a piece, so that the
   timers are not late. */
void loop_turn(struct loop *loop);

/* How long loop_sleep may sleep for the sake of the timers and of what is to be passed on: ms, at most `longest`. */
int loop_patience(const struct loop *loop, int64_t longest_ms);

/* Waits for the network, those who ask by loop->notify, or loop_wake, at most timeout_ms. Gives whether one of the first two woke it. */
bool loop_sleep(struct loop *loop, int timeout_ms);

/* Ends a loop_sleep, now or the next: the one function here that any thread may call. */
void loop_wake(struct loop *loop);

/* Sends; job->ended is called later from loop_turn, or at once where it fails before anything is sent. */
void loop_send(struct loop *loop, struct job *job, const struct transfer_request *request);

/* Stops the transfer without calling ended; nothing happens if there is none. */
void loop_abort(struct loop *loop, struct job *job);

/* In [0,1). */
double loop_random(struct loop *loop);

#endif
