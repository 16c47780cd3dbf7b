/* Absolute URLs: what a base may be, where a link leads, and which two are of one origin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/url.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void origins_are_compared_with_default_ports(void **state) {
  (void)state;
  static const struct {
    const char *one, *other;
    bool same;
  } rows[] = {
      {"https://a.example", "https://a.example/x?y#z", true},
      {"https://a.example", "https://a.example:443", true},
      {"http://a.example", "http://a.example:80/", true},
      {"https://a.example:0443", "https://a.example", true},
      {"HTTPS://A.Example/x", "https://a.EXAMPLE/y", true},
      {"http://[::1]:80", "http://[::1]/x", true},
      {"http://[FE80::1]", "http://[fe80::1]", true},
      {"https://a.example", "http://a.example", false},
      {"https://a.example:80", "http://a.example:80", false},
      {"http://a.example", "http://a.example:443", false},
      {"https://a.example", "https://a.example:444", false},
      {"https://a.example", "https://b.example", false},
      {"https://a.example", "https://a.example.b", false},
      {"https://a.example", "https://a.example.", false},
      {"https://a.example", "https://a.example@b.example", false},
      {"https://a.example", "https://b.example@a.example", false},
      {"https://a.example", "https://a.example:443@b.example", false},
      {"https://a.example", "https://a.example\\@b.example", false},
      {"https://a.example", "https://a.example\\b", false},
      {"https://a.example", "https:a.example", false},
      {"https://a.example", "a.example", false},
      {"https://a.example", "//a.example", false},
      {"https://a.example", "", false},
      {"ftp://a.example", "ftp://a.example", false},
      {"https://", "https://", false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (url_same_origin(rows[i].one, rows[i].other) != rows[i].same) fail_msg("%s, %s", rows[i].one, rows[i].other);
    assert_int_equal(url_same_origin(rows[i].other, rows[i].one), rows[i].same);
  }
}

static void a_base_is_checked(void **state) {
  (void)state;
  static const struct {
    const char *url;
    bool plain_http, loopback;
  } good[] = {
      {"https://cloud.uipath.com", false, false},
      {"https://cloud.uipath.com/", false, false},
      {"HTTPS://h:8443/prefix/@x", false, false},
      {"http://h", true, false},
      {"http://localhost:80", true, true},
      {"http://LocalHost", true, true},
      {"http://127.0.0.1:8080/x", true, true},
      {"https://127.255.255.254", false, true},
      {"http://[::1]:8080", true, true},
      {"http://[::2]", true, false},
      {"http://localhost.evil.example", true, false},
      {"http://localhost.", true, false},
      {"http://127.0.0.1.evil.example", true, false},
      {"http://127.evil", true, false},
      {"http://128.0.0.1", true, false},
      {"http://10.127.0.0.1", true, false},
      {"https://h:1", false, false},
      {"https://h:65535", false, false},
  };
  static const struct {
    const char *url, *error;
  } bad[] = {
      {"", "https://"},
      {"cloud.uipath.com", "https://"},
      {"//cloud.uipath.com", "https://"},
      {"ftp://h", "https://"},
      {"https:/h", "https://"},
      {"https:h", "https://"},
      {"https://", "no host"},
      {"https:///x", "no host"},
      {"https://:443", "no host"},
      {"https://?x", "no host"},
      {"https://user@h", "user or password"},
      {"https://user:password@h", "user or password"},
      {"https://user:443@h", "user or password"},
      {"https://@h", "user or password"},
      {"https://h:", "port"},
      {"https://h:/x", "port"},
      {"https://h:0", "port"},
      {"https://h:x", "port"},
      {"https://h:-1", "port"},
      {"https://h:65536", "port"},
      {"https://h:18446744073709551659", "port"},
      {"https://h:443x", "well-formed"},
      {"https://[::1", "bracket"},
      {"https://[::1]x", "well-formed"},
      {"https://[::1]@h", "well-formed"},
      {"https://h?x=y", "query or fragment"},
      {"https://h/x?", "query or fragment"},
      {"https://h#x", "query or fragment"},
      {"https://h/a b", "spaces"},
      {" https://h", "spaces"},
      {"https://h\n", "control"},
      {"https://h\t/x", "control"},
      {"https://h/\x7F", "control"},
  };
  for (size_t i = 0; i < COUNT(good); i++) {
    bool plain_http = !good[i].plain_http, loopback = !good[i].loopback;
    const char *error = url_check_base(good[i].url, &plain_http, &loopback);
    if (error != NULL) fail_msg("%s: %s", good[i].url, error);
    assert_int_equal(plain_http, good[i].plain_http);
    if (loopback != good[i].loopback) fail_msg("%s: loopback is %d", good[i].url, loopback);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    bool plain_http, loopback;
    const char *error = url_check_base(bad[i].url, &plain_http, &loopback);
    if (error == NULL || strstr(error, bad[i].error) == NULL) fail_msg("%s: %s", bad[i].url, error == NULL ? "fine" : error);
  }
}

static void an_address_is_split(void **state) {
  (void)state;
  static const struct {
    const char *url, *origin, *organization, *tenant;
  } rows[] = {
      {"https://cloud.uipath.com/acme/T", "https://cloud.uipath.com", "acme", "T"},
      {"https://cloud.uipath.com/acme/T/orchestrator_/x", "https://cloud.uipath.com", "acme", "T"},
      {"https://cloud.uipath.com:8443/acme", "https://cloud.uipath.com:8443", "acme", ""},
      {"https://cloud.uipath.com/acme/", "https://cloud.uipath.com", "acme", ""},
      {"https://cloud.uipath.com/acme/T/?x=y", "https://cloud.uipath.com", "acme", "T"},
      {"https://cloud.uipath.com/acme?x=/y", "https://cloud.uipath.com", "acme", ""},
      {"https://cloud.uipath.com//acme//T", "https://cloud.uipath.com", "acme", "T"},
      {"https://cloud.uipath.com/", "https://cloud.uipath.com", "", ""},
      {"http://[::1]:80", "http://[::1]:80", "", ""},
  };
  static const char *const bad[] = {"", "cloud.uipath.com/acme/T", "ftp://h/acme", "https://user@h/acme", "https://", NULL};
  struct url_parts parts;
  for (size_t i = 0; i < COUNT(rows); i++) {
    assert_true(url_split(rows[i].url, &parts));
    assert_int_equal(parts.origin_length, strlen(rows[i].origin));
    assert_memory_equal(rows[i].url, rows[i].origin, parts.origin_length);
    assert_int_equal(parts.organization_length, strlen(rows[i].organization));
    assert_memory_equal(parts.organization, rows[i].organization, parts.organization_length);
    assert_int_equal(parts.tenant_length, strlen(rows[i].tenant));
    assert_memory_equal(parts.tenant, rows[i].tenant, parts.tenant_length);
  }
  for (size_t i = 0; bad[i] != NULL; i++) assert_false(url_split(bad[i], &parts));
}

/* url_resolve of a reference that nothing follows in memory, so that a byte read too many is found out. */
static bool resolve(const char *base, const char *reference, struct buffer *url) {
  size_t length = strlen(reference);
  char *exact = malloc(length == 0 ? 1 : length);
  assert_non_null(exact);
  memcpy(exact, reference, length);
  bool resolved = url_resolve(base, exact, length, url);
  free(exact);
  return resolved;
}

struct link_row {
  const char *reference, *url;
};

static void expect_links(const char *base, const struct link_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct buffer url = BUFFER_EMPTY;
    bool resolved = resolve(base, rows[i].reference, &url);
    if (resolved != (rows[i].url != NULL)) fail_msg("%s: %s", rows[i].reference, resolved ? url.data : "not resolved");
    if (resolved && strcmp(url.data, rows[i].url) != 0) fail_msg("%s: %s", rows[i].reference, url.data);
    buffer_free(&url);
  }
}

static void links_are_resolved_as_rfc_3986_says(void **state) {
  (void)state;
  /* Section 5.4, but for the fragments, which a client keeps to itself, and for parameters of segments. */
  static const struct link_row rows[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g:h", NULL},
      {"http:g", NULL},
  };
  expect_links("http://a/b/c/d;p?q", rows, COUNT(rows));
}

static void a_services_links_are_followed(void **state) {
  (void)state;
  static const struct link_row rows[] = {
      {"Jobs?$skip=100", "https://h.example:8443/acme/odata/Jobs?$skip=100"},
      {"Jobs('a:b')", "https://h.example:8443/acme/odata/Jobs('a:b')"},
      {"2026-11-24T10:00:00", "https://h.example:8443/acme/odata/2026-11-24T10:00:00"},
      {"./Jobs:x", "https://h.example:8443/acme/odata/Jobs:x"},
      {"a b?c=d e", "https://h.example:8443/acme/odata/a%20b?c=d%20e"},
      {"\xC3\xA4?\xC3\xB6", "https://h.example:8443/acme/odata/%C3%A4?%C3%B6"},
      {"?next=%2B%20", "https://h.example:8443/acme/odata/Sets?next=%2B%20"},
      /* the server's plus sign is the server's: it may mean a space */
      {"?next=a+b", "https://h.example:8443/acme/odata/Sets?next=a+b"},
      {"https://h.example:8443/x?next=a+b", "https://h.example:8443/x?next=a+b"},
      {"https://other.example/x", "https://other.example/x"},
      {"https://other.example", "https://other.example"},
      {"https://other.example?x", "https://other.example?x"},
      {"https://other.example/a/../b/./c?d/../e", "https://other.example/b/c?d/../e"},
      {"HTTP://[::1]:80/x#y", "HTTP://[::1]:80/x"},
      {"//[::1]:80/x y", "https://[::1]:80/x%20y"},
      {"//other.example/../x?y", "https://other.example/x?y"},
      {"https://", NULL},
      {"//", NULL},
      {"///x", NULL},
      {"https:///x", NULL},
      {"https://h.example@evil.example/x", NULL},
      {"//user@evil.example/x", NULL},
      {"https://h.example:x/", NULL},
      {"https:x", NULL},
      {"mailto:x@y", NULL},
      {"javascript:alert(1)", NULL},
      {"data:text/html,(x)", NULL},
      {"ws+unix://x", NULL},
      {"ftp://h.example/x", NULL},
      {"a\nb", NULL},
      {"a\r\nHost: evil", NULL},
      {"a?\x7F", NULL},
  };
  expect_links("https://h.example:8443/acme/odata/Sets?$top=5", rows, COUNT(rows));
}

static void a_base_without_a_path_has_the_root(void **state) {
  (void)state;
  static const struct link_row rows[] = {
      {"x", "https://h/x"}, {"/x", "https://h/x"}, {"?x", "https://h?x"}, {"", "https://h"}, {"..", "https://h/"}};
  expect_links("https://h", rows, COUNT(rows));
  struct buffer url = BUFFER_EMPTY;
  assert_false(resolve("h/x", "y", &url));
  assert_false(resolve("", "https://h/x", &url));
  buffer_free(&url);
  assert_true(buffer_append_string(&url, "before "));
  assert_true(resolve("https://h/a/b", "../c", &url));
  assert_string_equal(url.data, "before https://h/c");
  buffer_free(&url);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(origins_are_compared_with_default_ports),
      cmocka_unit_test(a_base_is_checked),
      cmocka_unit_test(an_address_is_split),
      cmocka_unit_test(links_are_resolved_as_rfc_3986_says),
      cmocka_unit_test(a_services_links_are_followed),
      cmocka_unit_test(a_base_without_a_path_has_the_root),
  };
  return cmocka_run_group_tests_name("url_origin", tests, NULL, NULL);
}
