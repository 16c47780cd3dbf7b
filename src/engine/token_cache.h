/* The token of a source in this engine: fetched when first needed, once however many wait, and renewed ahead of its end. */
#ifndef ENGINE_TOKEN_CACHE_H
#define ENGINE_TOKEN_CACHE_H

#include "flight.h"
#include "loop.h"
#include "token.h"

/* Leads to flight_token_ready or flight_token_failed, perhaps before it returns. */
void token_cache_request(struct loop *loop, struct flight *flight);

/* The flight no longer waits. */
void token_cache_leave(struct flight *flight);

/* The server refused the very token that the flight was sent with: it is dropped, if it is still the current one. */
void token_cache_refuse(struct flight *flight);

/* The owner's Lua has a token (copied) for the call's source. */
void token_cache_give(struct loop *loop, struct call *call, const char *value, int64_t lifetime_ms);

/* Or its token store has none: one is fetched, for the call if that waits still, else for those to come. */
void token_cache_fetch(struct loop *loop, struct call *call);

/* Or it has none, for the flight that waits or, for_all, for all that wait for the same source: message says why. */
void token_cache_give_up(struct loop *loop, struct flight *flight, const char *message, bool for_all);

/* Asks all that wait for the source anew: an answer that was meant for them has come to nothing. */
void token_cache_ask_again(struct loop *loop, struct token_source *source);

/* Frees the caches of functions' tokens that no client or call can ask for any more. */
void token_caches_sweep(struct loop *loop);

void token_caches_free(struct loop *loop);

#endif
