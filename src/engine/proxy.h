/* What the option proxy may say: [scheme://][user[:password]@]host[:port][/]. Pure functions. */
#ifndef ENGINE_PROXY_H
#define ENGINE_PROXY_H

#include <stddef.h>

/* Where the parts of a proxy are; NULL or 0 where absent. User and password are percent-encoded. */
struct proxy_parts {
  size_t scheme_length; /* with "://" */
  const char *user;
  size_t user_length;
  const char *password;
  size_t password_length;
  const char *address; /* host and port, to the end */
  const char *host;    /* an IPv6 address without its brackets */
  size_t host_length;
};

/* Splits a proxy. NULL if it is well-formed, else a static phrase that says what is wrong, without a word of it: it may hold a password.
   The user's part ends at the last '@', so that one that should have been %40, or a '/', does not bring a password to light. */
const char *proxy_split(const char *proxy, struct proxy_parts *parts);

#endif
