#include "loop.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "download.h"
#include "flight.h"
#include "notify.h"
#include "origin.h"
#include "pace.h"
#include "poll_few.h"
#include "token_cache.h"

/* Kept open for later: a process talks to one or two hosts. */
#define MOST_IDLE_CONNECTIONS 128L
/* Downloads whose readers are watched while the loop sleeps; more are looked at when it wakes. */
#define MOST_PAUSED 8
/* It wakes so often while some wait. */
#define LONGEST_PAUSED_MS 50

/* A seed that differs between processes and runs; it only spreads retries. */
static uint64_t seed(const void *address) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)address) | 1;
}

double loop_random(struct loop *loop) {
  /* xorshift64 */
  loop->random_state ^= loop->random_state << 13;
  loop->random_state ^= loop->random_state >> 7;
  loop->random_state ^= loop->random_state << 17;
  return (double)(loop->random_state >> 11) / 9007199254740992.0;
}

bool loop_open(struct loop *loop, struct engine *engine) {
  *loop = (struct loop){.engine = engine};
  loop->random_state = seed(loop);
  loop->multi = curl_multi_init();
  loop->share = curl_share_init();
  if (loop->multi == NULL || loop->share == NULL) return false;
  curl_multi_setopt(loop->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_PER_CONNECTION);
  curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, MOST_IDLE_CONNECTIONS);
  curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  return true;
}

void loop_close(struct loop *loop) {
  flights_free(loop);
  token_caches_free(loop);
  services_free(loop);
  origins_free(loop);
  for (size_t i = 0; i < loop->spare_count; i++) curl_easy_cleanup(loop->spare[i]);
  if (loop->multi != NULL) curl_multi_cleanup(loop->multi);
  if (loop->share != NULL) curl_share_cleanup(loop->share);
  connections_free(&loop->connections); /* after libcurl, which tells when it closes one */
  timers_free(&loop->timers);
}

/* An easy handle in its initial state, or NULL. */
static CURL *take_handle(struct loop *loop) {
  if (loop->spare_count > 0) return loop->spare[--loop->spare_count];
  CURL *easy = curl_easy_init();
  if (easy != NULL) curl_easy_setopt(easy, CURLOPT_SHARE, loop->share);
  return easy;
}

/* Has libcurl work on the handle, or no longer. */
static bool add_handle(struct loop *loop, CURL *easy) {
  bool is_added = curl_multi_add_handle(loop->multi, easy) == CURLM_OK;
  if (is_added) loop->added++;
  return is_added;
}

static void remove_handle(struct loop *loop, CURL *easy) {
  if (curl_multi_remove_handle(loop->multi, easy) == CURLM_OK) loop->added--;
}

/* Ends the job's ties to its handle, which must no longer be in the multi handle. One that failed, or was sent more than once, does not serve
   again: curl_easy_reset leaves in it that a stream was refused, and libcurl would believe that of a later one. */
static void return_handle(struct loop *loop, struct job *job, CURLcode result) {
  CURL *easy = job->transfer.easy;
  bool is_clean = result == CURLE_OK && job->transfer.starts <= 1;
  transfer_finish(&job->transfer);
  if (job->origin != NULL) origin_end(loop, job->origin);
  job->origin = NULL;
  if (is_clean && loop->spare_count < SPARE_HANDLES) {
    loop->spare[loop->spare_count++] = easy;
  } else {
    curl_easy_cleanup(easy);
  }
}

void loop_send(struct loop *loop, struct job *job, const struct transfer_request *request) {
  job->sent_ms = clock_monotonic_ms();
  job->transfer.has_started = &loop->has_started;
  job->transfer.sending.connections = &loop->connections;
  CURL *easy = take_handle(loop);
  struct origin *origin = origin_of(loop, request->url);
  bool added = false;
  if (easy == NULL || origin == NULL) {
    job->transfer.no_memory = true;
    job->transfer.easy = easy;
  } else if (transfer_prepare(&job->transfer, easy, request) &&
             transfer_trust(&job->transfer, origin_trust(origin))) {
    job->origin = origin;
    origin_begin(loop, origin);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    added = add_handle(loop, easy);
  }
  if (request->download != NULL && request->download->sink.target == NULL) loop->has_straight = true;
  if (added) return;
  if (job->transfer.file_failure[0] == '\0') job->transfer.no_memory = true;
  struct transfer_end end = transfer_explain(&job->transfer, CURLE_FAILED_INIT);
  if (easy != NULL) return_handle(loop, job, CURLE_FAILED_INIT);
  job->ended(job->owner, &end);
}

/* Takes the job off the list of those to be unpacked, if it is there; gives whether it was. */
static bool leave_packed(struct loop *loop, struct job *job) {
  struct job **place = &loop->packed;
  while (*place != NULL && *place != job) place = &(*place)->next_packed;
  if (*place == NULL) return false;
  *place = job->next_packed;
  return true;
}

/* Puts the job at the end of that list. */
static void enter_packed(struct loop *loop, struct job *job) {
  struct job **place = &loop->packed;
  while (*place != NULL) place = &(*place)->next_packed;
  *place = job;
  job->next_packed = NULL;
}

void loop_abort(struct loop *loop, struct job *job) {
  if (job->transfer.easy == NULL) return;
  bool is_over = leave_packed(loop, job);
  if (!is_over) remove_handle(loop, job->transfer.easy);
  /* libcurl may just have been told that the stream was refused, and is about to send it again. */
  bool is_clean = is_over || job->transfer.starts == 0;
  return_handle(loop, job, is_clean ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK);
}

/* Passes on a transfer that is over, and no longer in the multi handle. */
static void pass_on(struct loop *loop, struct job *job, CURLcode result) {
  struct transfer_end end = transfer_explain(&job->transfer, result);
  if (job->origin != NULL) origin_learn(job->origin, end.http_version);
  return_handle(loop, job, result);
  job->ended(job->owner, &end);
}

/* Sends what has not been sent with the certificates that its origin needs. false: no memory. */
static bool trust_again(struct loop *loop, struct job *job) {
  return transfer_trust(&job->transfer, origin_trust(job->origin)) &&
         add_handle(loop, job->transfer.easy);
}

/* Whether the job waits for a connection with fewer certificates than the origin needs. */
static bool trusts_too_little(const struct job *job, const struct origin *origin) {
  return job->origin == origin && job->transfer.easy != NULL && job->transfer.starts == 0 &&
         job->transfer.trust < origin_trust(origin);
}

/* A transfer has failed, and was taken out of the multi handle. Where more certificates may vouch for
   the server, it goes on with those, and so do the calls that wait for the connection: each would
   fail by itself, one after the other. false: the transfer is over. */
static bool trust_more(struct loop *loop, struct job *job, CURLcode result) {
  struct origin *origin = job->origin;
  if (!transfer_lacks_authority(&job->transfer, result)) return false;
  origin_needs(origin, job->transfer.trust + 1);
  if (!trust_again(loop, job)) {
    job->transfer.no_memory = true;
    return false;
  }
  for (struct flight *flight = loop->flights, *next; flight != NULL; flight = next) {
    next = flight->next;
    if (!trusts_too_little(&flight->job, origin)) continue;
    remove_handle(loop, flight->job.transfer.easy);
    if (trust_again(loop, &flight->job)) continue;
    flight->job.transfer.no_memory = true;
    pass_on(loop, &flight->job, CURLE_OUT_OF_MEMORY);
    next = loop->flights; /* others may be gone with it */
  }
  return true;
}

/* Passes on the transfers that libcurl has finished with, of those that have to be unpacked at most one, as soon as it is. */
static void read_ends(struct loop *loop) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(loop->multi, &left)) != NULL;) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    CURLcode result = message->data.result; /* gone with the handle */
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct job *job = (struct job *)(void *)private;
    remove_handle(loop, easy);
    if (sending_starts_anew(&job->transfer, result) && add_handle(loop, easy)) continue;
    if (result == CURLE_OK && transfer_is_packed(&job->transfer)) enter_packed(loop, job);
    else if (!trust_more(loop, job, result)) pass_on(loop, job, result);
  }
  struct job *first = loop->packed;
  if (first == NULL || !transfer_unpack(&first->transfer)) return;
  leave_packed(loop, first);
  pass_on(loop, first, CURLE_OK);
}

/* Lets the downloads go on whose readers have caught up, and sees which others wait. */
static void resume_paused(struct loop *loop) {
  for (struct flight *flight = loop->flights; flight != NULL; flight = flight->next) {
    struct transfer *transfer = &flight->job.transfer;
    if (transfer->easy == NULL || transfer->download == NULL) continue;
    if (transfer->is_paused && file_sink_is_ready(&transfer->download->sink)) {
      transfer->is_paused = false;
      curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* which may pause it again */
    }
    if (transfer->is_paused) loop->has_paused = true;
  }
}

/* Puts the readers that downloads wait for into the list. Gives their number. */
static unsigned paused_readers(const struct loop *loop, struct curl_waitfd *waiters) {
  unsigned count = 0;
  for (const struct flight *flight = loop->flights; flight != NULL && count < MOST_PAUSED; flight = flight->next) {
    const struct transfer *transfer = &flight->job.transfer;
    if (transfer->easy != NULL && transfer->is_paused)
      waiters[count++] = (struct curl_waitfd){.fd = transfer->download->sink.descriptor, .events = CURL_WAIT_POLLOUT};
  }
  return count;
}

void loop_turn(struct loop *loop) {
  int running;
  /* Before libcurl sends over a connection in use it looks whether that is alive, and reads what has
     come meanwhile for other transfers without running them (seen with 7.88.1, HTTP/2): the socket
     has nothing more to tell then, and poll would wait for good. So they are all run once more,
     which goes through all of them and costs the more the more there are. */
  bool has_long_one = loop->packed != NULL && loop->packed->transfer.gunzip.begun;
  /* What has come is passed on before more is read; between the pieces of a long one the network goes on. */
  loop->has_started = loop->packed == NULL || has_long_one;
  while (loop->has_started) {
    loop->has_started = false;
    curl_multi_perform(loop->multi, &running);
  }
  read_ends(loop);
  if (loop->has_straight) {
    loop->has_paused = false;
    resume_paused(loop);
  }
  if (timers_next(&loop->timers) != INT64_MAX) timers_run(&loop->timers, clock_monotonic_ms());
  if (loop->notify != NULL) notify_flush(loop->notify);
  token_caches_sweep(loop);
}

int loop_patience(const struct loop *loop, int64_t longest_ms) {
  int64_t next = timers_next(&loop->timers);
  if (loop->packed != NULL) return 0;
  if (loop->has_paused && longest_ms > LONGEST_PAUSED_MS) longest_ms = LONGEST_PAUSED_MS;
  if (next != INT64_MAX) {
    int64_t left = next - clock_monotonic_ms();
    if (left < 0) left = 0;
    if (left < longest_ms) longest_ms = left;
  }
  return longest_ms > INT_MAX ? INT_MAX : (int)longest_ms;
}

bool loop_sleep(struct loop *loop, int timeout_ms) {
  int ready = 0;
  bool is_asked = false;
  struct curl_waitfd waiters[1 + MOST_PAUSED] = {{.fd = -1, .events = CURL_WAIT_POLLIN}};
  bool has_waiter = loop->notify != NULL;
  unsigned count = has_waiter ? 1 : 0;
  if (has_waiter) waiters[0].fd = notify_descriptor(loop->notify);
  if (loop->has_paused) count += paused_readers(loop, waiters + count);
  if (poll_few_is_due(loop->added) ||
      curl_multi_poll(loop->multi, count > 0 ? waiters : NULL, count, timeout_ms, &ready) != CURLM_OK)
    ready = poll_few(loop->multi, has_waiter ? waiters[0].fd : -1, &is_asked, timeout_ms);
  if (is_asked || (has_waiter && waiters[0].revents != 0)) notify_serve(loop->notify);
  return ready > 0;
}

void loop_wake(struct loop *loop) {
  curl_multi_wakeup(loop->multi);
}
