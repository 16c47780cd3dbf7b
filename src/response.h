/* What a finished call gives to Lua: value, response; or nil, err. */
#ifndef UIPATH_RESPONSE_H
#define UIPATH_RESPONSE_H

#include "compat.h"
#include "engine/call.h"

/* What is told of a call besides its request and reply. */
struct response_context {
  bool drop_nulls;
  const char *client_secret; /* for redaction, NULL: none */
  const char *where;         /* the caller's "file:line", "" if unknown */
};

/* Pushes the results of a call that is done. [-0, +2] */
void response_push(lua_State *L, struct call *call, const struct response_context *context);

/* Pushes nil and a `usage` error for a call that was never submitted. [-0, +2] */
void response_push_usage(lua_State *L, const struct call_request *request, const char *message, const char *where);

#endif
