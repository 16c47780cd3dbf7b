/* Clients: what uipath.connect gives. */
#ifndef UIPATH_CLIENT_H
#define UIPATH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat.h"
#include "engine/token.h"
#include "engine/transport.h"
#include "engine/url.h"
#include "owned.h"

/* A client as the C sees it. Its user value is the table of resolved options, which keeps the strings of base alive. */
struct client {
  struct owned owned;
  struct url_base base;
  struct transport_settings *transport; /* one reference */
  struct token_source *token_source;    /* one reference */
  const char *client_secret;            /* for redaction; NULL: none */
  int64_t timeout_ms;
  int max_attempts;
  size_t max_response_bytes;
  bool drop_nulls;
  bool waits_in_lua; /* there are Lua functions among its options, or nginx is to go on meanwhile */
  bool wants_events;
};

/* The client at index; raises if it is none, or has been collected. [-0, +0] */
struct client *client_check(lua_State *L, int index);

/* uipath.connect. [-1, +1] */
int client_connect(lua_State *L);

/* Pushes when the token expires, in seconds since 1970, or nil. [-0, +1] */
void client_push_expiry(lua_State *L, const struct token *token);

/* Adds to the table on top what our Lua modules need of clients. [-0, +0] */
void client_add_internals(lua_State *L);

/* The methods of clients that do not wait in Lua: get, post, … Pushes the table. [-0, +1] */
void client_open(lua_State *L);

#endif
