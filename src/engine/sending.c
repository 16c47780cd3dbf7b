#include "sending.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "tls_rest.h"
#include "transfer.h"
#include "words.h"

/* A request that an HTTP/2 server refused goes out again at once, so often and no more. */
#define MOST_REFUSALS 10

/* Whether the request is about to go over a connection that was used before, not over one that
 * libcurl has just made for it. */
static bool is_kept(struct transfer *transfer) {
  long connections = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
  bool is_new = connections > transfer->sending.made;
  transfer->sending.made = connections;
  return !is_new;
}

/* Whether a connection that was used before is not to be used again: what is there to be read is no
 * answer to what is about to be sent. */
static bool is_spoilt(const struct connection *connection, CURL *easy) {
  if (connection == NULL || !connection->is_in_turns) return false;
  return !connection_is_silent(connection) || tls_has_rest(easy);
}

/* The request is about to go over this connection (NULL: unknown). */
static void enter(struct sending *sending, struct connection *connection) {
  connection_release(sending->connection);
  sending->connection = connection;
  sending->stream = 0;
  sending->has_goodbye = false;
}

/* Whether the server has said that it did not process the stream that was opened last. */
static bool has_untouched_stream(const struct sending *sending) {
  return sending->is_refused ||
         (sending->connection != NULL && sending->stream > sending->connection->last_stream);
}

/* The request goes out once more. libcurl looks for a connection first, and tells this transfer what
 * it reads from others meanwhile: nothing of that is about the connection that it was sent over. */
static void leave(struct sending *sending, bool is_refused) {
  sending->is_refused = is_refused;
  enter(sending, NULL);
}

/* Takes note of what libcurl says. */
static int on_words(CURL *easy, curl_infotype type, char *text, size_t length, void *user) {
  (void)easy;
  struct sending *sending = user;
  struct connection *connection = sending->connection;
  uint32_t number;
  if (type != CURLINFO_TEXT) return 0;
  switch (words_read(text, length, &number)) {
    case WORDS_OTHER: break;
    case WORDS_STREAM_OPENED: sending->stream = number; break;
    case WORDS_STREAM_REFUSED:
      leave(sending, sending->is_refused || sending->stream > 0);
      break;
    case WORDS_RETRYING: leave(sending, has_untouched_stream(sending)); break;
    case WORDS_GOAWAY:
      if (connection != NULL && number < connection->last_stream) connection->last_stream = number;
      break;
    case WORDS_TLS_MESSAGE: sending->connections->tell_of_tls = true; break;
    case WORDS_TLS_GOODBYE: sending->has_goodbye = true; break;
  }
  return 0;
}

/* Called before each time the request is sent. libcurl sends it once more by itself when a kept
   connection turns out dead, or when the server refused it; after the former the server may have
   acted on it, so that it is libcurl's business only where repeating is harmless. */
static int on_send(void *user, char *peer_ip, char *local_ip, int peer_port, int local_port) {
  struct transfer *transfer = user;
  struct sending *sending = &transfer->sending;
  const struct connection_ends ends = {
      .local_ip = local_ip, .peer_ip = peer_ip, .local_port = local_port, .peer_port = peer_port};
  sending->is_refused = sending_was_refused(transfer);
  *transfer->has_started = true;
  if (transfer->starts > 0 && !transfer->repeatable && !sending->is_refused)
    return CURL_PREREQFUNC_ABORT;
  bool kept = is_kept(transfer);
  enter(sending, connections_find(sending->connections, &ends));
  sending->is_stale = kept && is_spoilt(sending->connection, transfer->easy);
  if (sending->is_stale) return CURL_PREREQFUNC_ABORT;
  if (sending->is_refused) sending->refusals++;
  sending->is_refused = false;
  transfer->starts++;
  transfer->start_ms = clock_monotonic_ms();
  return CURL_PREREQFUNC_OK;
}

void sending_begin(struct transfer *transfer, const char *url) {
  struct sending *sending = &transfer->sending;
  CURL *easy = transfer->easy;
  enter(sending, NULL);
  sending->is_https = strncasecmp(url, "https:", 6) == 0;
  sending->is_refused = sending->is_stale = false;
  sending->refusals = 0;
  sending->made = 0;
  connections_note(sending->connections, easy);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  if (!transfer->repeatable) words_for_refused_alone(easy);
  if (sending->is_https) words_listen(easy, on_words, sending);
}

void sending_has_status(struct transfer *transfer, const char *line) {
  struct connection *connection = transfer->sending.connection;
  if (connection != NULL && strncmp(line, "HTTP/1", 6) == 0) connection->is_in_turns = true;
}

bool sending_was_refused(const struct transfer *transfer) {
  if (transfer->starts == 0 || transfer->has_status) return false;
  return has_untouched_stream(&transfer->sending);
}

bool sending_lacks_goodbye(const struct transfer *transfer) {
  const struct sending *sending = &transfer->sending;
  return sending->is_https && !sending->has_goodbye && sending->connections->tell_of_tls;
}

bool sending_starts_anew(struct transfer *transfer, CURLcode result) {
  struct sending *sending = &transfer->sending;
  bool is_stale = result == CURLE_ABORTED_BY_CALLBACK && sending->is_stale;
  bool was_refused = sending_was_refused(transfer);
  if (!is_stale && (!was_refused || transfer->starts > MOST_REFUSALS)) return false;
  leave(sending, was_refused);
  sending->made = 0;
  sending->is_stale = false;
  transfer->error_text[0] = '\0';
  if (transfer->file != NULL) rewind(transfer->file);
  return curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, is_stale ? 1L : 0L) == CURLE_OK;
}

void sending_end(struct transfer *transfer) {
  enter(&transfer->sending, NULL);
}
