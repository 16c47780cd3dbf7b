/* The inside of a token source: for the engine alone. */
#ifndef ENGINE_TOKEN_SOURCE_H
#define ENGINE_TOKEN_SOURCE_H

#include "token.h"

struct engine;

struct token_source {
  int references; /* guarded by token.c */
  enum token_kind kind;
  char *endpoint, *client_id, *client_secret, *scope, *store;
  uint64_t owner;
  struct transport_settings *transport;
  struct token *fixed; /* TOKEN_FIXED: the token, from the beginning */
  atomic_uint answers; /* TOKEN_FUNCTION: how often one of those who were asked has answered for all */
  struct token_source *next; /* in the process's list, guarded by token.c */

  /* Whoever drives the engine has these to himself. */
  const struct engine *engine; /* to which `cache` belongs; after a fork it is another process's */
  struct token_cache *cache;   /* NULL: nothing fetched yet in this engine */
  unsigned answers_taken;      /* of `answers`: one that is on its way still spares the next caller the question */
};

/* Whether the engine holds the only reference: no client or call uses the source any more. */
bool token_source_is_abandoned(const struct token_source *source);

/* Whether, since the last asking, a function's source may have lost all but the engine's reference. */
bool token_sources_orphaned(void);

/* Around fork: the list's lock is held while the process is copied. */
void token_sources_before_fork(void);
void token_sources_after_fork(void);

#endif
