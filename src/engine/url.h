/* URL rules: where a path of API.md's "Calls" leads. Pure functions: no network, no state. */
#ifndef ENGINE_URL_H
#define ENGINE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum url_deployment { URL_CLOUD, URL_SUITE, URL_STANDALONE };
enum url_level { URL_LEVEL_BY_SERVICE, URL_LEVEL_ORGANIZATION, URL_LEVEL_TENANT };

/* The address half of a client's options. Strings are borrowed, NULL where absent. */
struct url_base {
  enum url_deployment deployment;
  const char *base_url;     /* scheme://host[:port][/prefix], no slash at the end */
  const char *identity_url; /* the same; NULL: derived from base_url by deployment */
  const char *organization;
  const char *tenant;
};

enum url_status {
  URL_OK,
  URL_INVALID,   /* the path itself is wrong ('#', dot segment, control character, …): the caller's mistake */
  URL_FOREIGN,   /* a whole URL of another scheme, host or port, or one that is not well-formed */
  URL_NO_TENANT, /* a tenant-level service, and no tenant is known */
  URL_NO_MEMORY
};

/* What url_build found out besides the URL. */
struct url_facts {
  const char *error; /* with any status but URL_OK: one static phrase, e.g. "a path must not contain '#'" */
  bool odata;        /* an odata/… path of Orchestrator: query options take a '$' */
  bool has_query;    /* the URL already contains '?' */
};

/* Appends to url the absolute URL of path (path_length bytes, may hold a query; any bytes). On anything but URL_OK the
   buffer's content is unspecified (still to be freed). */
enum url_status url_build(const struct url_base *base, const char *path, size_t path_length, enum url_level level,
                          struct buffer *url, struct url_facts *facts);

/* Appends "?name=value" or "&name=value", both percent-encoded for a query (space as %20); `$` of OData names stays.
   has_query is read and then set. false: no memory. */
bool url_append_parameter(struct buffer *url, bool *has_query, const char *name, size_t name_length, const char *value,
                          size_t value_length);

/* Whether the query of url (length bytes) has a parameter of this name, after percent-decoding, without regard to case. */
bool url_has_parameter(const char *url, size_t length, const char *name, size_t name_length);

/* Appends the token endpoint's URL: {identity}/connect/token. false: no memory. */
bool url_token_endpoint(const struct url_base *base, struct buffer *url);

/* Checks a base_url / identity_url option: absolute, http or https with a host, no user info, query, fragment, spaces or control
   characters. NULL if fine, else a static phrase. *plain_http tells of http://, *loopback of localhost, 127.0.0.0/8 and [::1]. */
const char *url_check_base(const char *url, bool *plain_http, bool *loopback);

/* Checks that the URLs of an address do not hold what is added to them: organization and tenant, /connect/token. NULL if so, else a static
   phrase; *option is then the name of the URL's option. */
const char *url_check_address(const struct url_base *base, const char **option);

/* Splits UIPATH_URL's forms scheme://host[:port][/organization[/tenant[/…]]]: lengths into url, 0 where absent. false: no such form. */
struct url_parts {
  size_t origin_length; /* url[0..origin_length) = scheme://host[:port] */
  const char *organization;
  size_t organization_length;
  const char *tenant;
  size_t tenant_length;
};
bool url_split(const char *url, struct url_parts *parts);

/* Whether two absolute URLs have the same scheme, host (without regard to case) and port (defaults filled in). */
bool url_same_origin(const char *one, const char *other);

/* Resolves a Location header or a relative nextLink against the URL it came with (RFC 3986, section 5.2; a reference without a
   scheme may be absolute-path, relative-path or query only) and appends the URL, without a fragment. The result may be of another
   origin. false: no memory or not resolvable; the buffer's content is unspecified then. */
bool url_resolve(const char *base, const char *reference, size_t reference_length, struct buffer *url);

/* The same for a link that a service sends in its answer: a service behind a gateway may know its own host by another scheme or port than
   its callers, and is called by theirs. A link to another host stays what it is. */
bool url_resolve_link(const char *base, const char *link, size_t link_length, struct buffer *url);

/* Appends bytes percent-encoded as one path segment or query value (all but RFC 3986's unreserved characters). false: no memory. */
bool url_escape(struct buffer *url, const char *bytes, size_t length);

/* The bytes percent-decoded, malloc'ed and NUL-terminated. NULL: no memory. */
char *url_unescape(const char *bytes, size_t length);

/* Appends application/x-www-form-urlencoded "name=value" (joined with '&' where the buffer is not empty). false: no memory. */
bool url_append_form_field(struct buffer *form, const char *name, const char *value);

#endif
