/* Access tokens: what identifies one, how long it serves, what the token endpoint's reply means.
   A source is one set of credentials; all clients of the process with the same set share it.

   A source's key is fixed when it is made. Everything else of it belongs to whoever drives the engine; tokens themselves never
   change and are counted. */
#ifndef ENGINE_TOKEN_H
#define ENGINE_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct transport_settings;

/* One access token, immutable. Times are milliseconds of clock_boot_ms (they go on while the machine sleeps). */
struct token {
  atomic_int references;
  char *value;        /* the secret itself */
  char *scope;        /* what the token endpoint granted, space separated; NULL: it did not say */
  int64_t expires_at; /* INT64_MAX: not known, or never */
  int64_t renew_at;   /* when the background renewal is due; INT64_MAX: none */
  int64_t usable_until; /* no call starts with it after this */
};

enum token_kind {
  TOKEN_CLIENT_CREDENTIALS,
  TOKEN_FIXED,   /* options.access_token is a string */
  TOKEN_FUNCTION /* options.access_token is a Lua function: asked through the call */
};

/* What makes two sources the same. Strings are borrowed by token_source_get, which copies them. */
struct token_key {
  enum token_kind kind;
  const char *endpoint;      /* URL of the token endpoint (client credentials) */
  const char *client_id;
  const char *client_secret;
  const char *scope;         /* normalised: words separated by one space; "" if none */
  const char *access_token;  /* TOKEN_FIXED */
  uint64_t owner;            /* TOKEN_FUNCTION: never shared; a number of its own */
  const char *store;         /* TOKEN_CLIENT_CREDENTIALS: which token store is asked before the endpoint, by the owner's Lua; NULL: none */
};

/* The source for key over these transport settings, with one reference more: the existing one, or a new one. Thread-safe. NULL: no memory.
   transport is retained by the source; settings that differ make another source. */
struct token_source *token_source_get(const struct token_key *key, struct transport_settings *transport);

/* Adds / drops a reference (NULL allowed). The last one takes the source out of the process's list and wipes it. Thread-safe. */
struct token_source *token_source_retain(struct token_source *source);
void token_source_release(struct token_source *source);

enum token_kind token_source_kind(const struct token_source *source);

/* key's store, or NULL. */
const char *token_source_store(const struct token_source *source);

/* A new token with one reference, copying value and scope (NULL allowed); lifetime_ms < 0: never expires. NULL: no memory. */
struct token *token_new(const char *value, const char *scope, int64_t now, int64_t lifetime_ms);
struct token *token_retain(struct token *token);
void token_release(struct token *token);

/* Whether a request may go out with it at that moment of clock_boot_ms. */
bool token_is_usable(const struct token *token, int64_t now);

/* The form body of a client-credentials request; the caller wipes it. false: no memory. */
bool token_request_form(const struct token_source *source, struct buffer *form);
const char *token_source_endpoint(const struct token_source *source);

/* What the token endpoint's reply says. */
struct token_reply {
  struct token *token; /* on success, one reference */
  char *message;       /* on failure: one line, no secret; malloc'ed */
  char *hint;          /* malloc'ed or NULL */
  char *code;          /* OAuth's `error`, malloc'ed or NULL */
};

/* Reads status and body. Gives true and reply->token; or false and the rest (all NULL: no memory). */
bool token_reply_read(int status, const char *body, size_t length, int64_t now, const struct token_source *source, struct token_reply *reply);
void token_reply_free(struct token_reply *reply);

/* What to do where something else than a token endpoint answers. */
extern const char token_hint_wrong_url[];

#define TOKEN_DEFAULT_LIFETIME_MS (3600 * 1000) /* where expires_in is absent or useless: UiPath's own lifetime */

#endif
