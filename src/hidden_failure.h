/* Answers with a status of 2xx that tell of a failure all the same: bulk operations and uploads give them. */
#ifndef HIDDEN_FAILURE_H
#define HIDDEN_FAILURE_H

#include <stdbool.h>

#include "compat.h"

/* Whether the decoded answer on top, which came to a call that was to change something, says that this, or a part of it, was not
   done. If so, pushes a list of what the answer has about that: objects, texts or ids; it may be empty. An answer whose nulls were
   dropped cannot always tell: with has_dropped_nulls, every one that may tell of a failure counts as one. [-0, +(0|1)] */
bool hidden_failure_push(lua_State *L, bool has_dropped_nulls);

#endif
