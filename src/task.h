/* Tasks: the coroutines that uipath.concurrency runs side by side. A call that is made on a task's own thread does not block: it yields
   itself to the scheduler, which resumes the thread with the call's results. In any other coroutine it blocks. */
#ifndef UIPATH_TASK_H
#define UIPATH_TASK_H

#include <stdbool.h>

#include "compat.h"

/* Whether the running thread is a task's and can yield where it is (not within a callback of string.gsub, say). [-0, +0] */
bool task_can_yield(lua_State *L);

/* Notes that the call at index was made by the running task, if there is one: when the task is ended, so is the call. [-0, +0] */
void task_own_call(lua_State *L, int index);

/* Adds to the table on top what uipath.concurrency and uipath.functions need of tasks. [-0, +0] */
void task_add_internals(lua_State *L);

#endif
