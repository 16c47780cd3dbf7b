/* The options of uipath.connect: where each comes from, and what it may be. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <lua.h>

/* Both functions push a fresh table of checked values; an absent one is nil:

     organization tenant client_id client_secret profile ca_file ca_dir proxy   strings
     base_url no_proxy          strings, never nil; no slash ends the URL
     identity_url               string without a slash at the end; nil unless given, never derived
     scope                      string: words separated by one space
     access_token               string or function
     deployment                 "cloud", "suite" or "standalone"; never nil
     nulls                      "keep" or "drop"; never nil
     folder                     number or string that has passed folder_check
     timeout connect_timeout    seconds, numbers; never nil
     max_attempts max_response_bytes prefetch   whole numbers; never nil
     insecure                   boolean; never nil
     token_store                table
     token_key                  string, set by client.c where the token_store is used
     on_event                   function

   They raise on unknown names, wrong types and values, missing and contradictory options. The message
   names the option or the environment variable to blame and never quotes its value. */

/* Resolves what uipath.connect got at index (a table, nil or none) with environment, profile and
   defaults, as API.md says. [-0, +1] */
void options_resolve(lua_State *L, int index);

/* Pushes a phrase that says which option, variable or profile names a tenant or an application, of what
   uipath.connect got at index; why the profile could not be read, where it alone might; nil where
   nothing does. Raises as options_resolve does where names or profile are wrong. [-0, +1] */
void options_push_tenant_origin(lua_State *L, int index);

/* client:with: a copy of the resolved table at base with the options of the table at changes put in
   one by one. false unsets one, its default is back; access_token drops client_id and client_secret,
   and they drop access_token. profile raises: it is for uipath.connect alone. [-0, +1] */
void options_override(lua_State *L, int base, int changes);

/* The number on top, as what uipath.connect takes for the option of that name, which must be one of a number; raises if it is none. [-0, +0] */
lua_Number options_check_number(lua_State *L, const char *name);

#endif
