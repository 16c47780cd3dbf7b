/* One HTTP request on a libcurl easy handle: set up, collected, explained. */
#ifndef ENGINE_TRANSFER_H
#define ENGINE_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "call.h"
#include "gunzip.h"
#include "retry.h"
#include "sending.h"
#include "transport.h"

/* What to send; all borrowed until transfer_finish. */
struct transfer_request {
  const char *method;
  const char *url;
  const struct call_header *headers;
  size_t header_count;
  const char *content_type;     /* a further header, or NULL */
  const struct call_body *body;
  const char *bearer_token;     /* NULL: no Authorization */
  const struct transport_settings *transport;
  size_t max_response_bytes;
  int weight;                   /* HTTP/2's, 1 … 256; 0: its default of 16 */
  bool repeatable;              /* libcurl may repeat it by itself on a fresh connection */
  struct download *download;    /* where the response's body goes, or NULL */
  bool looks;                   /* with a download: see download.h */
  bool is_streamed;             /* how far the body has come is noted, whatever it is */
};

/* How a response's body comes, by its Content-Encoding. */
enum transfer_coding {
  CODING_UNKNOWN, /* no byte of it has come */
  CODING_NONE,
  CODING_GZIP,
};

struct transfer {
  CURL *easy;                 /* owned by the loop; NULL: idle */
  struct curl_slist *headers; /* of the request */
  curl_mime *mime;
  const struct transport_settings *transport; /* the request's, borrowed until transfer_finish */
  struct download *download;  /* the request's, borrowed until transfer_finish */
  FILE *file;                 /* a body that is streamed, or NULL */
  off_t file_size;            /* that was announced */
  struct buffer reply_headers;
  struct buffer reply_body;   /* without the coding */
  enum trust trust;           /* the certificates that its connection is made with */
  enum transfer_coding coding;
  struct buffer packed;       /* of a compressed body: what is still to be unpacked */
  struct gunzip gunzip;
  const char *body_failure;   /* what is wrong with the body as it came, or NULL */
  size_t max_response_bytes;
  bool repeatable;
  struct sending sending;
  int starts;                 /* how often libcurl began to send it */
  int64_t start_ms;           /* clock_monotonic_ms of the last of these */
  bool *has_started;          /* set to true at each of these that others may share the connection
                                 of, as HTTP/1.x is not known to be spoken there: see loop_turn */
  bool is_paused;             /* the download waits for its reader */
  bool has_status;            /* a status line has come */
  bool headers_complete;      /* the empty line after them has come */
  bool is_interim;            /* they are of a 1xx: others follow */
  size_t trailer_bytes;       /* of the fields behind the body, which are dropped */
  bool too_large;
  bool no_memory;
  char file_failure[256];     /* why a file of the body cannot be read, "" if it can; error_text is libcurl's */
  int64_t progress_ms;        /* of streamed bodies: clock_monotonic_ms of the last byte */
  curl_off_t progress_bytes;
  curl_off_t uploaded_bytes;  /* of them, those of the request's body */
  char error_text[CURL_ERROR_SIZE];
  char hint_text[256];
};

/* How a finished transfer ended. message and hint are valid until the transfer is used again; hint may be NULL. */
struct transfer_end {
  enum retry_outcome outcome;
  enum call_error error; /* CALL_OK: a response came */
  int status;
  int64_t retry_after_ms; /* -1: not asked for */
  int http_version;       /* 10, 11, 20, 30 */
  int repetitions;        /* at once, on another connection, as a kept one turned out dead or the server had refused it */
  int refusals;           /* of these, the latter */
  const char *message;
  const char *hint;
};

/* Sets a clean easy handle up. false: no memory, or a file that cannot be read (then file_failure tells); transfer_finish is due in
   either case. */
bool transfer_prepare(struct transfer *transfer, CURL *easy, const struct transfer_request *request);

/* Sets the certificates that the transfer's connection is made with, or more of them, where the
   settings begin with more: due after transfer_prepare, and allowed as long as the transfer is in no
   multi handle. false: no memory. */
bool transfer_trust(struct transfer *transfer, enum trust trust);

/* Whether it failed, before anything was sent, for want of an authority that vouches for the server,
   and more certificates are given than were looked at. */
bool transfer_lacks_authority(const struct transfer *transfer, CURLcode result);

/* Whether transfer_unpack is due, after a transfer that went well. */
bool transfer_is_packed(const struct transfer *transfer);

/* Unpacks some more of a compressed body: no more than takes some hundredths of a second. Gives whether that was all, or failed. */
bool transfer_unpack(struct transfer *transfer);

/* Whether some of the response's body has come. */
bool transfer_has_body(const struct transfer *transfer);

/* Says how it ended, by libcurl's result. */
struct transfer_end transfer_explain(struct transfer *transfer, CURLcode result);

/* Frees what belonged to the request, and the easy handle's ties to it; the reply stays. */
void transfer_finish(struct transfer *transfer);

/* Frees the reply too. */
void transfer_free(struct transfer *transfer);

/* The value of a reply header (the last of that name), or NULL; *length is its length without surrounding blanks. */
const char *transfer_header(const struct transfer *transfer, const char *name, size_t *length);

#endif
