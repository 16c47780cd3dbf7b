/* What a call asks for: method, path and options as the user gave them become a struct call_request. */
#ifndef UIPATH_REQUEST_H
#define UIPATH_REQUEST_H

#include "client.h"
#include "engine/call.h"

/* Fills in the request of a call that a userdata owns already. The client is at index 1, the path at `path`, the options (a table, nil or
   none) at `options`; the body is the value at `body`, or with 0 the options' own. Raises the caller's mistakes.
   NULL, or the static message of a `usage` error. [-0, +0] */
const char *request_build(lua_State *L, struct call_request *request, const char *method, int path, int options, int body);

/* Fills in what every request of the client has, for one that only fetches a token. [-0, +0] */
void request_build_token_only(lua_State *L, struct call_request *request);

/* Fills in the request for a URL that the service gave us: the checked string at `url` as it stands, on any host. Of the
   options (a table), timeout, max_attempts, idempotent and headers count, and with a token (authorized) the folder; body
   is the index of the body, or 0. Raises the caller's mistakes. [-0, +0] */
void request_build_foreign(lua_State *L, struct call_request *request, const char *method, int url, int options, int body, bool authorized);

/* Adds to the table on top what uipath.paging and uipath.files need to know of paths. [-0, +0] */
void request_add_internals(lua_State *L);

#endif
