#include "words.h"

#include <string.h>

#include "text.h"

/* What libcurl writes, from 7.88 to 8.0 with a slip of the pen. */
static const char *const goaways[] = {"received GOAWAY, error=", "recveived GOAWAY, error="};

/* Moves *text, up to end, behind the word if it begins with it. */
static bool skip(const char **text, const char *end, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(end - *text) < length || memcmp(*text, word, length) != 0) return false;
  *text += length;
  return true;
}

/* Moves *text behind the number that it begins with. false: there is none, or one that no stream
 * has. */
static bool skip_number(const char **text, const char *end, uint32_t *number) {
  const char *begin = *text;
  uint64_t value = 0;
  for (; *text < end && text_is_digit(**text) && value <= INT32_MAX; (*text)++)
    value = value * 10 + (uint64_t)(**text - '0');
  *number = (uint32_t)value;
  return *text > begin && value <= INT32_MAX;
}

/* "TLSv1.3 (IN), TLS alert, close notify (256):" */
static enum words read_tls(const char *text, const char *end) {
  while (text < end && *text != '(') text++;
  if (!skip(&text, end, "(IN), TLS ")) return WORDS_OTHER;
  if (skip(&text, end, "handshake, ")) return WORDS_TLS_MESSAGE;
  return skip(&text, end, "alert, close notify") ? WORDS_TLS_GOODBYE : WORDS_OTHER;
}

/* What follows the error in "received GOAWAY, error=0, last_stream=5". */
static enum words read_goaway(const char *text, const char *end, uint32_t *number) {
  while (text < end && (*text == '-' || text_is_digit(*text))) text++;
  return skip(&text, end, ", last_stream=") && skip_number(&text, end, number) ? WORDS_GOAWAY
                                                                               : WORDS_OTHER;
}

enum words words_read(const char *line, size_t length, uint32_t *number) {
  const char *text = line, *end = line + length;
  if (skip(&text, end, "TLSv")) return read_tls(text, end);
  if (skip(&text, end, "REFUSED_STREAM, retrying")) return WORDS_STREAM_REFUSED;
  if (skip(&text, end, "Connection died, retrying")) return WORDS_RETRYING;
  if (skip(&text, end, "Using Stream ID: "))
    return skip_number(&text, end, number) ? WORDS_STREAM_OPENED : WORDS_OTHER;
  if (skip(&text, end, "[HTTP/2] ["))
    return skip_number(&text, end, number) && skip(&text, end, "] OPENED stream")
               ? WORDS_STREAM_OPENED
               : WORDS_OTHER;
  for (size_t i = 0; i < sizeof goaways / sizeof *goaways; i++)
    if (skip(&text, end, goaways[i])) return read_goaway(text, end, number);
  return WORDS_OTHER;
}

void words_listen(CURL *easy, curl_debug_callback callback, void *user) {
  /* Without a callback libcurl would write, and not only its lines: what is sent, too. */
  bool is_listening = curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, callback) == CURLE_OK &&
                      curl_easy_setopt(easy, CURLOPT_DEBUGDATA, user) == CURLE_OK;
  if (is_listening) curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

void words_for_refused_alone(CURL *easy) {
  /* To HTTP this means nothing else. A libcurl that was built without RTSP does both and tells
     neither. */
  curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, (long)CURL_RTSPREQ_RECEIVE);
}
