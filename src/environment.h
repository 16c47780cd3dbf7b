/* The process environment as a source of options. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <lua.h>

/* Pushes what the environment says for an option (a string, number or boolean, not checked further)
   and gives the name of the variable that said it. NULL, with nothing pushed: no variable says
   anything; an empty one counts as unset. Besides the options there is "no_proxy".
   [-0, +(0|1)]; raises, naming the variable, where a number or UIPATH_URL cannot be read. */
const char *environment_push(lua_State *L, const char *option);

#endif
