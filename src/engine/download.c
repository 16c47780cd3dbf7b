#include "download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "transfer.h"

struct download *download_new(const char *path) {
  struct download *download = calloc(1, sizeof *download);
  if (download == NULL) return NULL;
  atomic_init(&download->references, 1);
  download->total = -1;
  if (file_sink_init(&download->sink, path)) return download;
  free(download);
  return NULL;
}

struct download *download_retain(struct download *download) {
  atomic_fetch_add_explicit(&download->references, 1, memory_order_relaxed);
  return download;
}

void download_release(struct download *download) {
  if (download == NULL || atomic_fetch_sub_explicit(&download->references, 1, memory_order_acq_rel) != 1) return;
  file_sink_free(&download->sink);
  free(download);
}

/* What came is given up. is_same: what follows is known to be the same file. false: it cannot be given up. */
static bool restart(struct download *download, bool is_same) {
  if (download->sink.length > 0) download->restarts++;
  download->total = -1;
  download->validator[0] = '\0';
  return file_sink_restart(&download->sink, is_same);
}

bool download_begin(struct download *download, bool looks) {
  download->looks = looks;
  download->place = DOWNLOAD_UNDECIDED;
  download->mismatch = NULL;
  if (!file_sink_open(&download->sink)) return false;
  download->asked_for_rest = download->sink.length > 0 && download->validator[0] != '\0';
  /* Whether what comes is the same file cannot be known then. */
  return download->asked_for_rest || download->sink.length == 0 || restart(download, false);
}

bool download_has_advanced(struct download *download) {
  if (download->sink.length <= download->furthest) return false;
  download->furthest = download->sink.length;
  return true;
}

/* ======================================================================== */
/* An answer's headers                                                      */
/* ======================================================================== */

/* Copies a header's value, if it is there and fits. */
static bool copy_header(const struct transfer *transfer, const char *name, char *text, size_t size) {
  size_t length;
  const char *value = transfer_header(transfer, name, &length);
  if (value == NULL || length == 0 || length >= size) return false;
  memcpy(text, value, length);
  text[length] = '\0';
  return true;
}

/* Whether a header's value is this text, or is not there. */
static bool agrees(const struct transfer *transfer, const char *name, const char *text) {
  size_t length;
  const char *value = transfer_header(transfer, name, &length);
  return value == NULL || (length == strlen(text) && memcmp(value, text, length) == 0);
}

/* Notes by what the rest of this very file can be asked for. A date must be older than the answer: what changes twice in
   a second has but one. Where there is an ETag, a date says less than that (RFC 9110, section 13.1.5). */
static void learn_validator(struct download *download, const struct transfer *transfer) {
  char *validator = download->validator;
  size_t length, size = sizeof download->validator;
  download->is_date = false;
  validator[0] = '\0';
  if (transfer_header(transfer, "ETag", &length) != NULL) {
    if (!copy_header(transfer, "ETag", validator, size) || validator[0] != '"') validator[0] = '\0';
    return;
  }
  if (!copy_header(transfer, "Last-Modified", validator, size)) return;
  const char *date = transfer_header(transfer, "Date", &length);
  int64_t changed = retry_date_parse(validator, strlen(validator)), answered = date == NULL ? -1 : retry_date_parse(date, length);
  download->is_date = true;
  if (changed < 0 || (answered >= 0 && changed >= answered)) validator[0] = '\0';
}

/* The digits of a number that *cursor points to, which is moved past them; -1: there are none. */
static int64_t read_number(const char **cursor, const char *end) {
  int64_t number = *cursor < end && **cursor >= '0' && **cursor <= '9' ? 0 : -1;
  for (; *cursor < end && **cursor >= '0' && **cursor <= '9' && number < INT64_MAX / 100; ++*cursor)
    number = number * 10 + (**cursor - '0');
  return number;
}

struct content_range {
  int64_t first, last, total; /* -1: not said */
};

/* Reads "bytes FIRST-LAST/TOTAL", in which either half may be an asterisk. false: it is something else. */
static bool read_range(const struct transfer *transfer, struct content_range *range) {
  size_t length;
  const char *cursor = transfer_header(transfer, "Content-Range", &length);
  if (cursor == NULL || length < 6 || strncasecmp(cursor, "bytes ", 6) != 0) return false;
  const char *end = cursor + length;
  cursor += 6;
  *range = (struct content_range){-1, -1, -1};
  if (cursor < end && *cursor == '*') {
    cursor++;
  } else {
    range->first = read_number(&cursor, end);
    if (range->first < 0 || cursor == end || *cursor++ != '-') return false;
    range->last = read_number(&cursor, end);
    if (range->last < range->first) return false;
  }
  if (cursor == end || *cursor++ != '/') return false;
  if (cursor < end && *cursor == '*')
    cursor++;
  else if ((range->total = read_number(&cursor, end)) < 0)
    return false;
  return cursor == end;
}

/* Why a 206 is not the rest that is wanted, or NULL. */
static const char *objection(struct download *download, const struct transfer *transfer) {
  struct content_range range;
  if (!download->asked_for_rest) return "the server sent a part of the file, which was not asked for";
  if (!read_range(transfer, &range) || range.first != download->sink.length)
    return "the server sent another part of the file than was asked for";
  if (!agrees(transfer, download->is_date ? "Last-Modified" : "ETag", download->validator))
    return "the file has changed meanwhile";
  if (range.total >= 0 && download->total >= 0 && range.total != download->total) return "the file has changed meanwhile";
  if (range.total >= 0) download->total = range.total;
  return NULL;
}

/* ======================================================================== */
/* Its body                                                                 */
/* ======================================================================== */

static bool is_type(const char *type, size_t length, const char *wanted) {
  size_t wanted_length = strlen(wanted);
  return length >= wanted_length && strncasecmp(type, wanted, wanted_length) == 0 &&
         (length == wanted_length || type[wanted_length] == ';' || type[wanted_length] == ' ');
}

/* Where the owner looks first: whether that is needed, by the answer's headers. */
static enum download_place place_to_look(const struct transfer *transfer) {
  size_t length, other;
  const char *type = transfer_header(transfer, "Content-Type", &length);
  if (type == NULL) return DOWNLOAD_IN_FILE;
  /* A page that is meant to be a file says so; else it is one to sign in, or of a gateway. */
  if (is_type(type, length, "text/html"))
    return transfer_header(transfer, "Content-Disposition", &other) == NULL ? DOWNLOAD_IN_MEMORY : DOWNLOAD_IN_FILE;
  bool is_packed = transfer_header(transfer, "Content-Encoding", &other) != NULL;
  return is_type(type, length, "application/json") && !is_packed ? DOWNLOAD_LOOKED_AT : DOWNLOAD_IN_FILE;
}

/* Decides where the body goes that begins, or the one that is empty. */
static void decide(struct download *download, const struct transfer *transfer, int status) {
  size_t length;
  if (status < 200 || status >= 300) {
    download->place = DOWNLOAD_IN_MEMORY;
    return;
  }
  download->place = DOWNLOAD_IN_FILE;
  if (status == 206) {
    download->mismatch = objection(download, transfer);
    if (download->mismatch != NULL) download->place = DOWNLOAD_USELESS;
    return;
  }
  char kept[sizeof download->validator];
  memcpy(kept, download->validator, sizeof kept);
  learn_validator(download, transfer);
  bool is_same = download->asked_for_rest && download->validator[0] != '\0' && strcmp(kept, download->validator) == 0;
  if (download->sink.length > 0) {
    if (!restart(download, is_same)) download->place = DOWNLOAD_USELESS;
    learn_validator(download, transfer);
  }
  const char *announced = transfer_header(transfer, "Content-Length", &length);
  download->total = -1;
  if (announced != NULL) download->total = read_number(&announced, announced + length);
  if (download->looks && download->place == DOWNLOAD_IN_FILE) download->place = place_to_look(transfer);
}

static enum download_result result_of(enum file_sink_result result) {
  if (result == FILE_SINK_WAITS) return DOWNLOAD_WAITS;
  return result == FILE_SINK_WRITTEN ? DOWNLOAD_TAKEN : DOWNLOAD_STOPS;
}

enum download_result download_take(struct download *download, struct transfer *transfer, int status, const char *bytes,
                                   size_t length) {
  if (download->place == DOWNLOAD_UNDECIDED) decide(download, transfer, status);
  struct buffer *kept = &transfer->reply_body;
  if (download->place == DOWNLOAD_LOOKED_AT && length > DOWNLOAD_LONGEST_LOOK - kept->length) {
    /* It is too long for what would be looked for. */
    enum file_sink_result result =
        kept->length > 0 ? file_sink_write(&download->sink, kept->data, kept->length) : FILE_SINK_WRITTEN;
    if (result != FILE_SINK_WRITTEN) return result_of(result);
    download->place = DOWNLOAD_IN_FILE;
    kept->length = 0;
  }
  switch (download->place) {
    case DOWNLOAD_IN_MEMORY:
    case DOWNLOAD_LOOKED_AT:
      return DOWNLOAD_FOR_MEMORY;
    case DOWNLOAD_IN_FILE:
      return result_of(file_sink_write(&download->sink, bytes, length));
    default:
      return DOWNLOAD_STOPS;
  }
}

/* ======================================================================== */
/* The end                                                                  */
/* ======================================================================== */

static void end_with(struct transfer_end *end, enum retry_outcome outcome, enum call_error error, const char *message) {
  end->outcome = outcome;
  end->error = error;
  end->status = 0;
  end->retry_after_ms = -1;
  end->message = message;
  end->hint = NULL;
}

static void end_with_file(struct download *download, struct transfer_end *end) {
  end_with(end, RETRY_PERMANENT, CALL_FILE, download->sink.failure);
}

/* Whether an answer says that there is no rest: what came is all, and only the word that it was had been missing. */
static bool has_no_rest(struct download *download, const struct transfer *transfer) {
  struct content_range range;
  return download->asked_for_rest && read_range(transfer, &range) && range.first < 0 && range.total == download->sink.length;
}

void download_finish(struct download *download, const struct transfer *transfer, struct transfer_end *end) {
  if (download->sink.failure[0] != '\0') {
    end_with_file(download, end);
    return;
  }
  bool responded = end->outcome == RETRY_RESPONSE;
  if (responded && download->place == DOWNLOAD_UNDECIDED) decide(download, transfer, end->status);
  if (responded && end->status == 416 && has_no_rest(download, transfer)) {
    end->status = 206;
    download->place = DOWNLOAD_IN_FILE;
    download->total = download->sink.length;
  } else if (responded && end->status == 416 && download->asked_for_rest) {
    download->mismatch = "the server has no such part of the file any more";
  }
  if (download->mismatch != NULL) {
    bool began = download->sink.length > 0 || download->asked_for_rest;
    if (!restart(download, false))
      end_with_file(download, end);
    else
      end_with(end, began ? RETRY_BROKEN : RETRY_PERMANENT, CALL_NETWORK, download->mismatch);
    return;
  }
  if (!responded || end->status < 200 || end->status >= 300) return;
  /* There is nothing to look at. */
  if (transfer->reply_body.length == 0) download->place = DOWNLOAD_IN_FILE;
  if (download->place != DOWNLOAD_IN_FILE) return;
  if (download->total >= 0 && download->sink.length < download->total) {
    end_with(end, RETRY_BROKEN, CALL_NETWORK, "the server sent only a part of the file");
  } else if (download->total >= 0 && download->sink.length > download->total) {
    if (!restart(download, false))
      end_with_file(download, end);
    else
      end_with(end, RETRY_BROKEN, CALL_NETWORK, "the server sent more than the file has");
  } else if (!file_sink_commit(&download->sink)) {
    end_with_file(download, end);
  }
}
