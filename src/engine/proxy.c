#include "proxy.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* Whether libcurl knows the scheme. */
static bool is_scheme(const char *name, size_t length) {
  static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
    if (strlen(schemes[i]) == length && strncasecmp(name, schemes[i], length) == 0) return true;
  return false;
}

/* Sets the host of parts->address, and checks what is behind it. NULL, or what is wrong. */
static const char *split_address(struct proxy_parts *parts) {
  const char *cursor = parts->address;
  bool bracketed = *cursor == '[';
  if (bracketed) cursor++;
  parts->host = cursor;
  parts->host_length = strcspn(cursor, bracketed ? "]" : ":/?#\\'\"<>");
  cursor += parts->host_length;
  if (bracketed && *cursor++ != ']') return "its host's bracket is not closed";
  if (parts->host_length == 0) return "it has no host";
  if (*cursor == ':') {
    unsigned port = 0;
    for (cursor++; text_is_digit(*cursor) && port <= 65535; cursor++) port = port * 10 + (unsigned)(*cursor - '0');
    if (port == 0 || port > 65535 || (*cursor != '\0' && *cursor != '/')) return "its port is no number from 1 to 65535";
  }
  if (*cursor == '/') cursor++;
  return *cursor == '\0' ? NULL : "its host is not well-formed";
}

const char *proxy_split(const char *proxy, struct proxy_parts *parts) {
  *parts = (struct proxy_parts){.address = proxy};
  for (const char *c = proxy; *c != '\0'; c++)
    if (*c == ' ' || text_has_control(c, 1)) return "it must not hold spaces or control characters (in a password %20 is a space)";
  const char *scheme_end = strstr(proxy, "://");
  if (scheme_end != NULL) {
    if (!is_scheme(proxy, (size_t)(scheme_end - proxy))) return "its scheme must be http, https, socks4, socks4a, socks5 or socks5h";
    parts->address = scheme_end + 3;
    parts->scheme_length = (size_t)(parts->address - proxy);
  }
  const char *at = strrchr(parts->address, '@');
  if (at != NULL) {
    parts->user = parts->address;
    parts->user_length = (size_t)(at - parts->user);
    parts->address = at + 1;
    const char *colon = memchr(parts->user, ':', parts->user_length);
    if (colon != NULL) {
      parts->password = colon + 1;
      parts->password_length = (size_t)(at - parts->password);
      parts->user_length = (size_t)(colon - parts->user);
    }
  }
  return split_address(parts);
}
