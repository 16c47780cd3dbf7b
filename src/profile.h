/* Profiles of the official command line tool's ~/.uipath/config as a source of options. */
#ifndef UIPATH_PROFILE_H
#define UIPATH_PROFILE_H

#include <lua.h>

/* Pushes the options of a profile, and a table with a phrase for each that says where it stands. name NULL: the profile `default`, if there
   is one. Where there is none: nil, and nil or why it could not be read. Raises where a named profile is not to be had, and on a file that
   is no YAML. A file that others than its owner can read gets a warning on stderr, once. [-0, +2] */
void profile_push(lua_State *L, const char *name);

#endif
