#include "url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* Services of an organization, without a tenant in their URLs; all others belong to a tenant. */
static const char *const organization_services[] = {"identity_", "portal_", "audit_", "orgaudit_", "notificationservice_",
                                                     "pap_",      "lrm",     "la",     "studio_"};

/* ======================================================================== */
/* Characters                                                               */
/* ======================================================================== */

/* RFC 3986: what never needs encoding. */
static bool is_unreserved(char c) {
  return text_is_letter(c) || text_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_control(char c) {
  return (unsigned char)c < ' ' || c == 127;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The byte that begins at text[*index], percent-decoded; *index moves past it. */
static char decode_next(const char *text, size_t length, size_t *index) {
  size_t at = (*index)++;
  if (text[at] != '%' || at + 2 >= length || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return text[at];
  *index += 2;
  return (char)(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether text, percent-decoded, is this name, without regard to case. */
static bool decodes_to(const char *text, size_t length, const char *name, size_t name_length) {
  size_t text_index = 0, name_index = 0;
  while (text_index < length && name_index < name_length)
    if (lower(decode_next(text, length, &text_index)) != lower(name[name_index++])) return false;
  return text_index == length && name_index == name_length;
}

static bool append_encoded(struct buffer *url, char c) {
  static const char digits[] = "0123456789ABCDEF";
  unsigned char byte = (unsigned char)c;
  char encoded[3] = {'%', digits[byte >> 4], digits[byte & 15]};
  return buffer_append(url, encoded, sizeof encoded);
}

bool url_escape(struct buffer *url, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (!(is_unreserved(bytes[i]) ? buffer_append_char(url, bytes[i]) : append_encoded(url, bytes[i]))) return false;
  return true;
}

char *url_unescape(const char *bytes, size_t length) {
  char *text = malloc(length + 1);
  if (text == NULL) return NULL;
  size_t written = 0;
  for (size_t i = 0; i < length;) text[written++] = decode_next(bytes, length, &i);
  text[written] = '\0';
  return text;
}

/* What stays as it is beside RFC 3986's unreserved characters. A user's '+' in a query means a plus, which the server would read as a
   space; in the query of a whole URL, most often a server's own link, it is what it is. */
#define IN_PATH "/:@!$&'()*,;=+"
#define IN_USERS_QUERY "/:@!$&'()*,;=?"
#define IN_LINKS_QUERY "/:@!$&'()*,;=?+"

/* Appends a path or query as it is written: %XX stays, the characters that have a place there stay, the rest is encoded. */
static bool append_as_written(struct buffer *url, const char *text, size_t length, const char *staying) {
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    bool is_escape = c == '%' && i + 2 < length && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    bool stays = is_escape || is_unreserved(c) || (c != '\0' && strchr(staying, c) != NULL);
    if (!(stays ? buffer_append_char(url, c) : append_encoded(url, c))) return false;
  }
  return true;
}

/* ======================================================================== */
/* Absolute URLs                                                            */
/* ======================================================================== */

/* Where the parts of an absolute URL are. */
struct location {
  bool secure;
  const char *host;
  size_t host_length;
  unsigned port;
  size_t origin_length; /* scheme://host:port as written */
};

/* The length of the scheme that text begins with (RFC 3986, section 3.1); 0: none, or no colon behind it. */
static size_t scheme_length(const char *text, size_t length) {
  size_t i = 0;
  if (length == 0 || !text_is_letter(text[0])) return 0;
  while (i < length && (text_is_letter(text[i]) || text_is_digit(text[i]) || text[i] == '+' || text[i] == '-' || text[i] == '.')) i++;
  return i < length && text[i] == ':' ? i : 0;
}

/* Splits scheme://host[:port] off an absolute http or https URL of length bytes. NULL, or what is wrong with it. */
static const char *locate(const char *url, size_t length, struct location *location) {
  size_t host_begin;
  if (length >= 8 && strncasecmp(url, "https://", 8) == 0) host_begin = 8;
  else if (length >= 7 && strncasecmp(url, "http://", 7) == 0) host_begin = 7;
  else return "it must begin with https://";
  location->secure = host_begin == 8;
  location->port = location->secure ? 443 : 80;
  const char *host = url + host_begin, *end = url + length, *cursor = host;
  if (cursor < end && *cursor == '[') {
    while (cursor < end && *cursor != ']') cursor++;
    if (cursor == end) return "the host's bracket is not closed";
    cursor++;
  } else {
    while (cursor < end && *cursor != ':' && *cursor != '/' && *cursor != '?' && *cursor != '#') {
      if (*cursor == '@') return "it must not hold a user or password";
      cursor++;
    }
  }
  location->host = host;
  location->host_length = (size_t)(cursor - host);
  if (location->host_length == 0) return "it has no host";
  if (cursor < end && *cursor == ':') {
    unsigned port = 0;
    const char *digits = ++cursor;
    while (cursor < end && *cursor >= '0' && *cursor <= '9' && port <= 65535) port = port * 10 + (unsigned)(*cursor++ - '0');
    for (const char *c = cursor; c < end && *c != '/' && *c != '?' && *c != '#'; c++)
      if (*c == '@') return "it must not hold a user or password";
    if (cursor == digits || port == 0 || port > 65535) return "its port is no number from 1 to 65535";
    location->port = port;
  }
  if (cursor < end && *cursor != '/' && *cursor != '?' && *cursor != '#') return "its host is not well-formed";
  location->origin_length = (size_t)(cursor - url);
  return NULL;
}

static bool same_location(const struct location *one, const struct location *other) {
  return one->secure == other->secure && one->port == other->port && one->host_length == other->host_length &&
         strncasecmp(one->host, other->host, one->host_length) == 0;
}

bool url_same_origin(const char *one, const char *other) {
  struct location first, second;
  return locate(one, strlen(one), &first) == NULL && locate(other, strlen(other), &second) == NULL &&
         same_location(&first, &second);
}

static bool is_loopback(const struct location *location) {
  const char *host = location->host;
  size_t length = location->host_length;
  if (length == 9 && strncasecmp(host, "localhost", 9) == 0) return true;
  if (length == 5 && memcmp(host, "[::1]", 5) == 0) return true;
  if (length < 7 || memcmp(host, "127.", 4) != 0) return false;
  /* An address, not a name that begins like one. */
  for (size_t i = 4; i < length; i++)
    if (host[i] != '.' && (host[i] < '0' || host[i] > '9')) return false;
  return true;
}

const char *url_check_base(const char *url, bool *plain_http, bool *loopback) {
  struct location location;
  for (const char *c = url; *c != '\0'; c++)
    if (is_control(*c) || *c == ' ') return "it must not hold spaces or control characters";
  const char *wrong = locate(url, strlen(url), &location);
  if (wrong != NULL) return wrong;
  if (strchr(url, '?') != NULL || strchr(url, '#') != NULL) return "it must not hold a query or fragment";
  *plain_http = !location.secure;
  *loopback = is_loopback(&location);
  return NULL;
}

const char *url_check_address(const struct url_base *base, const char **option) {
  static const char token_path[] = "/connect/token";
  const char *identity = base->identity_url == NULL ? "" : base->identity_url;
  size_t length = strlen(identity), token_length = sizeof token_path - 1;
  *option = "identity_url";
  if (length >= token_length && strcasecmp(identity + length - token_length, token_path) == 0)
    return "it must end before /connect/token, which is added";
  struct location location;
  *option = "base_url";
  if (base->organization == NULL || locate(base->base_url, strlen(base->base_url), &location) != NULL) return NULL;
  const char *path = base->base_url + location.origin_length;
  size_t organization = strlen(base->organization);
  if (*path != '/' || strncasecmp(path + 1, base->organization, organization) != 0) return NULL;
  path += 1 + organization;
  return *path == '/' || *path == '\0' ? "it must end before the organization and tenant, which are options of their own" : NULL;
}

bool url_split(const char *url, struct url_parts *parts) {
  struct location location;
  if (locate(url, strlen(url), &location) != NULL) return false;
  *parts = (struct url_parts){.origin_length = location.origin_length};
  const char *cursor = url + location.origin_length;
  cursor += strspn(cursor, "/");
  parts->organization = cursor;
  parts->organization_length = strcspn(cursor, "/?#");
  cursor += parts->organization_length;
  cursor += strspn(cursor, "/");
  parts->tenant = cursor;
  parts->tenant_length = strcspn(cursor, "/?#");
  return true;
}

/* Appends a path without its "." and ".." segments (RFC 3986, section 5.2.4). */
static bool append_without_dots(struct buffer *url, const char *path, size_t length) {
  size_t root = url->length;
  for (size_t i = 0; i < length;) {
    size_t end = i + 1;
    while (end < length && path[end] != '/') end++;
    const char *segment = path + i + 1;
    size_t segment_length = end - i - 1;
    bool last = end == length;
    bool is_dot = segment_length == 1 && segment[0] == '.';
    bool is_dots = segment_length == 2 && segment[0] == '.' && segment[1] == '.';
    if (is_dots)
      while (url->length > root && url->data[--url->length] != '/') continue;
    if (is_dot || is_dots) {
      if (last && !buffer_append_char(url, '/')) return false;
    } else if (!buffer_append(url, path + i, end - i)) {
      return false;
    }
    i = end;
  }
  return true;
}

/* Appends the path that a reference names beside or below the base's, which may be empty. */
static bool append_merged(struct buffer *url, const char *base_path, const char *path, size_t length) {
  size_t directory = path[0] == '/' ? 0 : strcspn(base_path, "?#");
  while (directory > 0 && base_path[directory - 1] != '/') directory--;
  struct buffer merged = BUFFER_EMPTY;
  bool rooted = directory > 0 || path[0] == '/';
  bool built = (rooted || buffer_append_char(&merged, '/')) && buffer_append(&merged, base_path, directory) &&
               append_as_written(&merged, path, length, IN_PATH) && append_without_dots(url, merged.data, merged.length);
  buffer_free(&merged);
  return built;
}

/* url_resolve of "//host/…": it has the base's scheme. */
static bool resolve_with_scheme(const char *base, const char *reference, size_t length, struct buffer *url) {
  struct buffer whole = BUFFER_EMPTY;
  bool resolved = buffer_append(&whole, base, strcspn(base, ":") + 1) && buffer_append(&whole, reference, length) &&
                  url_resolve(base, whole.data, whole.length, url);
  buffer_free(&whole);
  return resolved;
}

bool url_resolve(const char *base, const char *reference, size_t length, struct buffer *url) {
  struct location origin, target;
  if (locate(base, strlen(base), &origin) != NULL) return false;
  for (size_t i = 0; i < length; i++)
    if (is_control(reference[i])) return false;
  const char *fragment = memchr(reference, '#', length);
  if (fragment != NULL) length = (size_t)(fragment - reference);
  if (length >= 2 && reference[0] == '/' && reference[1] == '/') return resolve_with_scheme(base, reference, length, url);

  const char *path = reference, *base_path = base + origin.origin_length;
  bool whole = scheme_length(reference, length) > 0;
  if (whole) {
    if (locate(reference, length, &target) != NULL || !buffer_append(url, reference, target.origin_length)) return false;
    path += target.origin_length;
  } else if (!buffer_append(url, base, origin.origin_length)) {
    return false;
  }
  const char *end = reference + length, *query = memchr(path, '?', (size_t)(end - path));
  size_t path_length = (size_t)((query == NULL ? end : query) - path);
  bool built = true;
  if (path_length > 0) built = append_merged(url, base_path, path, path_length);
  /* Only a query, or nothing: the base's path, and its query where there is none. */
  else if (!whole) built = buffer_append(url, base_path, strcspn(base_path, query != NULL ? "?#" : "#"));
  return built && (query == NULL || append_as_written(url, query, (size_t)(end - query), IN_LINKS_QUERY));
}

bool url_resolve_link(const char *base, const char *link, size_t length, struct buffer *url) {
  struct location origin, target;
  struct buffer whole = BUFFER_EMPTY;
  bool resolved = url_resolve(base, link, length, &whole) && locate(base, strlen(base), &origin) == NULL &&
                  locate(whole.data, whole.length, &target) == NULL;
  if (resolved) {
    bool is_ours = origin.host_length == target.host_length && strncasecmp(origin.host, target.host, origin.host_length) == 0;
    size_t replaced = is_ours ? target.origin_length : 0;
    resolved = buffer_append(url, base, is_ours ? origin.origin_length : 0) &&
               buffer_append(url, whole.data + replaced, whole.length - replaced);
  }
  buffer_free(&whole);
  return resolved;
}

/* ======================================================================== */
/* Where a path leads                                                       */
/* ======================================================================== */

static enum url_status wrong(struct url_facts *facts, enum url_status status, const char *error) {
  facts->error = error;
  return status;
}

/* NULL, or what is wrong with a path (without its query). */
static const char *check_path(const char *path, size_t length) {
  for (size_t i = 0; i < length;) {
    size_t begin = i;
    char c = decode_next(path, length, &i);
    if (is_control(c)) return "a path must not contain control characters";
    if (c == '#' && i == begin + 1) return "a path must not contain '#' (write %23)";
  }
  for (size_t i = 0; i < length;) {
    size_t end = i;
    while (end < length && path[end] != '/') end++;
    if (decodes_to(path + i, end - i, ".", 1) || decodes_to(path + i, end - i, "..", 2))
      return "a path must not contain dot segments";
    i = end + 1;
  }
  return NULL;
}

static const char *check_query(const char *query, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (is_control(query[i])) return "a query must not contain control characters";
    if (query[i] == '#') return "a query must not contain '#' (write %23)";
  }
  return NULL;
}

static bool is_service(const char *segment, size_t length) {
  if (length > 1 && segment[length - 1] == '_') return true;
  for (size_t i = 0; i < sizeof organization_services / sizeof *organization_services; i++)
    if (decodes_to(segment, length, organization_services[i], strlen(organization_services[i]))) return true;
  return false;
}

static bool is_organization_service(const char *segment, size_t length) {
  for (size_t i = 0; i < sizeof organization_services / sizeof *organization_services; i++)
    if (decodes_to(segment, length, organization_services[i], strlen(organization_services[i]))) return true;
  return false;
}

static bool segment_is(const char *segment, size_t length, const char *name) {
  return name != NULL && decodes_to(segment, length, name, strlen(name));
}

/* Appends the identity server's URL, without a slash at the end. false: no memory. */
static bool append_identity(const struct url_base *base, struct buffer *url) {
  if (base->identity_url != NULL) return buffer_append_string(url, base->identity_url);
  if (!buffer_append_string(url, base->base_url)) return false;
  switch (base->deployment) {
    case URL_STANDALONE:
      return buffer_append_string(url, "/identity");
    case URL_SUITE:
      return buffer_append_string(url, "/identity_");
    case URL_CLOUD:
      break;
  }
  const char *organization = base->organization == NULL ? "" : base->organization;
  return buffer_append_char(url, '/') && url_escape(url, organization, strlen(organization)) &&
         buffer_append_string(url, "/identity_");
}

bool url_token_endpoint(const struct url_base *base, struct buffer *url) {
  return append_identity(base, url) && buffer_append_string(url, "/connect/token");
}

/* The length of the first segment, and where the next begins (at most `length`). */
static size_t first_segment(const char *path, size_t length, size_t *next) {
  size_t segment = 0;
  while (segment < length && path[segment] != '/') segment++;
  *next = segment < length ? segment + 1 : length;
  return segment;
}

/* Whether the path is one from the host's root: {organization}/{tenant or service}/… */
static bool is_from_root(const struct url_base *base, const char *path, size_t length) {
  size_t second, third;
  size_t segment = first_segment(path, length, &second);
  if (base->deployment == URL_STANDALONE || !segment_is(path, segment, base->organization)) return false;
  size_t second_length = first_segment(path + second, length - second, &third);
  return segment_is(path + second, second_length, base->tenant) || is_service(path + second, second_length);
}

/* Whether a path below a cloud's root is /{organization}/{tenant}/odata/…: the older form, in which Orchestrator needs no name. */
static bool is_unnamed_odata(const char *path, const char *end) {
  size_t next;
  for (int place = 1; path < end; place++) {
    path++; /* the slash */
    size_t segment = first_segment(path, (size_t)(end - path), &next);
    if (place == 3) return segment_is(path, segment, "odata");
    if (segment == 0 || is_service(path, segment)) return false;
    path += segment;
  }
  return false;
}

/* Whether the URL, whose path ends it, names an entity set of Orchestrator. This is the one rule by which its OData is known. */
static bool is_odata(const struct url_base *base, const char *url, size_t length) {
  struct location location, root;
  if (locate(url, length, &location) != NULL || locate(base->base_url, strlen(base->base_url), &root) != NULL) return false;
  const char *path = url + location.origin_length, *end = url + length, *prefix = base->base_url + root.origin_length;
  size_t prefix_length = strlen(prefix);
  bool is_below = (size_t)(end - path) >= prefix_length && memcmp(path, prefix, prefix_length) == 0;
  bool in_orchestrator = base->deployment == URL_STANDALONE; /* it is all that is below base_url */
  if (!in_orchestrator && (is_unnamed_odata(path, end) || (is_below && is_unnamed_odata(path + prefix_length, end)))) return true;
  if (in_orchestrator && !is_below) return false;
  if (in_orchestrator) path += prefix_length;
  if (path == end || *path != '/') return false;
  for (size_t next; ++path < end; path += next - 1) {
    size_t segment = first_segment(path, (size_t)(end - path), &next);
    if (in_orchestrator) return segment_is(path, segment, "odata");
    in_orchestrator = segment_is(path, segment, "orchestrator_");
  }
  return false;
}

/* Appends {base}/{organization}[/{tenant}]/ for a service of that level. */
static enum url_status append_level(const struct url_base *base, bool of_organization, struct buffer *url, struct url_facts *facts) {
  if (!buffer_append_string(url, base->base_url)) return URL_NO_MEMORY;
  if (base->deployment == URL_STANDALONE) return buffer_append_char(url, '/') ? URL_OK : URL_NO_MEMORY;
  if (!of_organization && base->tenant == NULL)
    return wrong(facts, URL_NO_TENANT, "this service belongs to a tenant, and no tenant is given");
  const char *organization = base->organization == NULL ? "" : base->organization;
  bool appended = buffer_append_char(url, '/') && url_escape(url, organization, strlen(organization)) && buffer_append_char(url, '/');
  if (appended && !of_organization) appended = url_escape(url, base->tenant, strlen(base->tenant)) && buffer_append_char(url, '/');
  return appended ? URL_OK : URL_NO_MEMORY;
}

/* Appends what goes before the path, and says how much of the path that already covers. */
static enum url_status append_prefix(const struct url_base *base, const char *path, size_t length, enum url_level level,
                                     struct buffer *url, struct url_facts *facts, size_t *covered) {
  size_t next;
  size_t segment = first_segment(path, length, &next);
  *covered = 0;
  if (segment_is(path, segment, "identity_")) {
    *covered = segment; /* its own slash follows */
    return append_identity(base, url) ? URL_OK : URL_NO_MEMORY;
  }
  if (is_from_root(base, path, length)) {
    struct location location;
    if (locate(base->base_url, strlen(base->base_url), &location) != NULL) return wrong(facts, URL_INVALID, "base_url is not a URL");
    return buffer_append(url, base->base_url, location.origin_length) && buffer_append_char(url, '/') ? URL_OK : URL_NO_MEMORY;
  }
  bool service = is_service(path, segment);
  if (base->deployment == URL_STANDALONE && segment_is(path, segment, "orchestrator_")) *covered = next;
  bool of_organization = level == URL_LEVEL_ORGANIZATION ||
                         (level == URL_LEVEL_BY_SERVICE && service && is_organization_service(path, segment));
  enum url_status status = append_level(base, of_organization, url, facts);
  if (status == URL_OK && !service && base->deployment != URL_STANDALONE && !buffer_append_string(url, "orchestrator_/"))
    return URL_NO_MEMORY;
  return status;
}

/* A whole URL: only where the token may go. */
static enum url_status append_whole(const struct url_base *base, const char *path, size_t length, struct buffer *url,
                                    struct url_facts *facts) {
  struct location location, allowed;
  bool same = false;
  if (locate(path, length, &location) == NULL) {
    same = locate(base->base_url, strlen(base->base_url), &allowed) == NULL && same_location(&location, &allowed);
    if (!same && base->identity_url != NULL)
      same = locate(base->identity_url, strlen(base->identity_url), &allowed) == NULL && same_location(&location, &allowed);
  }
  if (!same)
    return wrong(facts, URL_FOREIGN, "a whole URL must be of the same scheme, host and port as base_url, without user or password");
  /* The host may hold the brackets of an IPv6 address. */
  bool appended = buffer_append(url, path, location.origin_length) &&
                  append_as_written(url, path + location.origin_length, length - location.origin_length, IN_PATH);
  return appended ? URL_OK : URL_NO_MEMORY;
}

enum url_status url_build(const struct url_base *base, const char *path, size_t path_length, enum url_level level, struct buffer *url,
                          struct url_facts *facts) {
  *facts = (struct url_facts){0};
  const char *query = memchr(path, '?', path_length);
  size_t length = query == NULL ? path_length : (size_t)(query - path);
  size_t query_length = path_length - length;
  const char *error = check_path(path, length);
  if (error == NULL && query != NULL) error = check_query(query, query_length);
  if (error != NULL) return wrong(facts, URL_INVALID, error);
  size_t scheme = scheme_length(path, length);
  bool whole = scheme > 0 && scheme + 2 < length && memcmp(path + scheme, "://", 3) == 0;

  enum url_status status;
  if (whole) {
    status = append_whole(base, path, length, url, facts);
  } else {
    while (length > 0 && *path == '/') path++, length--;
    if (length == 0) return wrong(facts, URL_INVALID, "a path must not be empty");
    size_t covered;
    status = append_prefix(base, path, length, level, url, facts, &covered);
    if (status == URL_OK && !append_as_written(url, path + covered, length - covered, IN_PATH)) status = URL_NO_MEMORY;
  }
  if (status != URL_OK) return status;
  facts->odata = is_odata(base, url->data, url->length);
  facts->has_query = query != NULL;
  if (query == NULL) return URL_OK;
  return append_as_written(url, query, query_length, whole ? IN_LINKS_QUERY : IN_USERS_QUERY) ? URL_OK : URL_NO_MEMORY;
}

/* ======================================================================== */
/* Parameters                                                               */
/* ======================================================================== */

bool url_append_parameter(struct buffer *url, bool *has_query, const char *name, size_t name_length, const char *value,
                          size_t value_length) {
  if (!buffer_append_char(url, *has_query ? '&' : '?')) return false;
  *has_query = true;
  for (size_t i = 0; i < name_length; i++)
    if (!(name[i] == '$' ? buffer_append_char(url, '$') : url_escape(url, name + i, 1))) return false;
  return buffer_append_char(url, '=') && url_escape(url, value, value_length);
}

bool url_has_parameter(const char *url, size_t length, const char *name, size_t name_length) {
  const char *query = memchr(url, '?', length);
  if (query == NULL) return false;
  const char *end = url + length;
  for (const char *field = query + 1; field < end;) {
    const char *field_end = memchr(field, '&', (size_t)(end - field));
    if (field_end == NULL) field_end = end;
    const char *equals = memchr(field, '=', (size_t)(field_end - field));
    if (equals == NULL) equals = field_end;
    if (decodes_to(field, (size_t)(equals - field), name, name_length)) return true;
    field = field_end + 1;
  }
  return false;
}

bool url_append_form_field(struct buffer *form, const char *name, const char *value) {
  return (form->length == 0 || buffer_append_char(form, '&')) && url_escape(form, name, strlen(name)) &&
         buffer_append_char(form, '=') && url_escape(form, value, strlen(value));
}
