/* A call: one request, what came of it, and the little that its owner and the engine share while it is under way. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "descriptor.h"

struct download;
struct token;
struct token_source;
struct transport_settings;

/* ======================================================================== */
/* What is asked for. Filled in by the owner before engine_submit.          */
/* ======================================================================== */

enum body_kind { BODY_NONE, BODY_BYTES, BODY_FILE, BODY_MULTIPART };

/* A part of multipart/form-data; all strings malloc'ed and owned. */
struct body_part {
  char *name;
  char *path;         /* a file to stream, or NULL: the value is in bytes */
  struct buffer bytes;
  char *filename;     /* NULL: none (a file's own base name) */
  char *content_type; /* NULL: none */
};

struct call_body {
  enum body_kind kind;
  struct buffer bytes;     /* BODY_BYTES */
  char *path;              /* BODY_FILE */
  struct body_part *parts; /* BODY_MULTIPART */
  size_t part_count;
};

/* A header field; both malloc'ed and owned. An empty value is sent as such. */
struct call_header {
  char *name;
  char *value;
};

struct call_request {
  char *method;                 /* "GET", … : upper case */
  struct buffer url;            /* absolute, percent-encoded */
  struct call_header *headers;  /* all but Authorization, Host, Content-Length and Accept-Encoding */
  size_t header_count;
  char *folder_path;            /* what X-UIPATH-FolderPath-Encoded says, for messages; malloc'ed, NULL without such a header */
  struct call_body body;
  struct transport_settings *transport; /* one reference; never NULL */
  struct token_source *token_source;    /* one reference; NULL: no Authorization is sent */
  int64_t timeout_ms;           /* the whole call: token, attempts, waits; where bytes are streamed: without progress */
  int max_attempts;
  bool idempotent;              /* options.idempotent: POST and PATCH may be repeated */
  bool token_only;              /* nothing is sent but, if need be, a token request: client:token() */
  bool wants_events;            /* record events for on_event */
  size_t max_response_bytes;    /* after decompression */
  int weight;                   /* HTTP/2's, 1 … 256, by which a server may choose what to send first; 0: its default of 16 */
  /* Of client:download and client:upload. */
  struct download *download;    /* where the answer's body goes; one reference, NULL: into memory */
  bool looks;                   /* what may be an access object is kept in memory all the same: see download.h */
  bool is_streamed;             /* timeout_ms is time without progress, whatever the body is */
  bool is_presigned;            /* the URL is an access object's: its query is a secret, redirects are not followed, and a
                                   GET or PUT is repeated after a 500 */
  bool wants_progress;          /* record EVENT_PROGRESS */
  int64_t last_moment_ms;       /* of clock_monotonic_ms: what is streamed must be done by then; INT64_MAX: any time */
  int64_t total_timeout_ms;     /* how long that is in all, for messages */
};

/* ======================================================================== */
/* What came of it. Valid once call_phase is CALL_DONE, untouched then.     */
/* ======================================================================== */

enum call_error {
  CALL_OK, /* an HTTP response came, whatever its status */
  CALL_AUTH,
  CALL_RATE_LIMIT, /* the service's RateLimit-Reset lies beyond the deadline: nothing was sent */
  CALL_NETWORK,
  CALL_TIMEOUT,
  CALL_CANCELLED,
  CALL_TOO_LARGE,
  CALL_FILE,
  CALL_NO_MEMORY
};

struct call_reply {
  enum call_error error;
  char *message;          /* with an error: one line without secrets, malloc'ed */
  char *hint;             /* what to do about it, malloc'ed, or NULL */
  char *code;             /* OAuth's `error` of the token endpoint, malloc'ed, or NULL */
  int status;             /* of the last HTTP response (the token endpoint's too), 0: none */
  int64_t retry_after_ms; /* what the last response asked for, or -1 */
  bool retryable;         /* the same call may succeed later */
  bool uncertain;         /* with an error of a method that changes things: the server may have done it all the same */
  bool for_token;         /* with an error: it was met while a token was being had */
  int attempts;           /* how often the request was sent */
  double elapsed;         /* seconds since it was submitted */
  int http_version;       /* 10, 11, 20, 30; 0: none */
  struct buffer url;      /* that answered, if a redirect led there; else empty */
  struct buffer headers;  /* the last response's header lines, "Name: value\r\n"…, without the status line */
  struct buffer body;     /* decompressed */
  bool is_in_file;        /* it is in the download's file instead */
  int64_t file_bytes;     /* as many */
  struct token *token;    /* one reference to the token it was sent with, or NULL: for hints and token_only */
};

/* ======================================================================== */
/* Events for on_event and the token store: a list in order, newest last.   */
/* ======================================================================== */

enum call_event_kind {
  EVENT_ATTEMPT,
  EVENT_RETRY,
  EVENT_TOKEN,
  EVENT_PROGRESS,   /* of what is streamed: done, total */
  EVENT_STORE_SAVE, /* `token` is fresh: the store is to have it */
  EVENT_STORE_DROP, /* `token` was refused: the store is to have it no longer */
  EVENT_STORE_RENEW /* `token` serves still but not for long: the owner may look for a later one, and answer as in CALL_ASKING */
};

struct call_event {
  struct call_event *next;
  enum call_event_kind kind;
  int attempt;        /* EVENT_ATTEMPT, EVENT_RETRY: counted from 1 */
  int status;         /* 0: no response */
  double elapsed;     /* seconds this attempt or fetch took */
  double delay;       /* EVENT_RETRY: seconds until the next attempt */
  const char *reason; /* EVENT_RETRY: static */
  char message[128];  /* of a failure, without secrets; "" if none */
  struct token *token; /* EVENT_STORE_…: one reference; else NULL */
  int64_t done, total; /* EVENT_PROGRESS: bytes; total is -1 where it is not known */
};

/* Frees an event that has been taken. */
void call_event_free(struct call_event *event);

/* ======================================================================== */

enum call_phase {
  CALL_NEW,    /* the owner fills it in */
  CALL_ACTIVE, /* the engine has it */
  CALL_ASKING, /* the engine needs a token from the owner's Lua: answer with engine_give_token, engine_fetch_token or engine_refuse_token */
  CALL_DONE    /* the reply may be read */
};

/* The owner's answer to CALL_ASKING: a token, a refusal, or fetch. */
struct call_answer {
  char *token; /* malloc'ed secret */
  int64_t lifetime_ms;
  char *refusal; /* malloc'ed message: there is no token to be had */
  bool for_all;  /* by anyone who waits for that source, not this call alone */
  bool fetch;    /* its store has none: the token endpoint is to be asked */
};

struct call {
  struct call_request request;
  struct call_reply reply;
  _Atomic int phase;         /* enum call_phase; written by the engine with release order */
  atomic_bool has_events;    /* engine_take_events would give some */
  atomic_int references;     /* the owner's and the engine's */
  unsigned answers_before;   /* its token source's answers when it began to ask: one more, and it asks no longer */
  struct flight *flight;     /* the engine's own half while it is under way */
  struct engine *engine;       /* the engine it was submitted to: after a fork no longer this process's */
  struct notify_waiter *waiters; /* connections that ask for it; the driver's */
  atomic_int waiter_count;       /* of these */
  uint64_t number;             /* by which they ask, 0: none yet; guarded by notify.c, as are: */
  uint64_t subscriber;         /* who is to be told when the call is ready; 0: nobody */
  struct call *next_numbered;
  /* The rest is guarded by the engine's mutex. */
  struct descriptor descriptor; /* engine_call_fd's, closed with the call; at first none */
  struct descriptor waiter;  /* that of a thread blocked in engine_await, if there is one */
  bool in_inbox;             /* there is something new in what follows for the driver to see */
  struct call *next;         /* in the inbox */
  bool cancel_asked;
  struct call_answer answer;
  struct call_event *events, **events_end;
};

/* A new call with one reference, everything zero but the descriptors (none), retry_after_ms (-1) and max_attempts (1). NULL: no memory. */
struct call *call_new(void);

/* Adds a reference; gives the call. */
struct call *call_retain(struct call *call);

/* Drops a reference (NULL is allowed); the last one frees the call and all it owns. */
void call_release(struct call *call);

/* Adds a header, copying both. false: no memory. */
bool call_add_header(struct call_request *request, const char *name, const char *value);

/* A call's phase, with acquire order: after CALL_DONE the reply may be read without a lock. */
static inline enum call_phase call_phase(struct call *call) {
  return (enum call_phase)atomic_load_explicit(&call->phase, memory_order_acquire);
}

#endif
