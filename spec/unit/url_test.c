/* Where a path leads, and what may stand in it: API.md's "path". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/url.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct url_base cloud = {
    .deployment = URL_CLOUD, .base_url = "https://cloud.uipath.com", .organization = "acme", .tenant = "T"};
static const struct url_base elsewhere = {.deployment = URL_CLOUD, .base_url = "https://cloud.uipath.com",
                                          .identity_url = "https://id.example:8443/sts", .organization = "acme", .tenant = "T"};
static const struct url_base suite = {
    .deployment = URL_SUITE, .base_url = "https://suite.example", .organization = "acme", .tenant = "T"};
static const struct url_base standalone = {.deployment = URL_STANDALONE, .base_url = "https://on.example/orch", .tenant = "T"};
static const struct url_base tenantless = {
    .deployment = URL_CLOUD, .base_url = "https://cloud.uipath.com", .organization = "acme"};

struct built {
  enum url_status status;
  struct url_facts facts;
  struct buffer url;
};

/* What url_build makes of length bytes that nothing follows in memory, so that a byte read too many is found out. */
static struct built build_bytes(const struct url_base *base, const char *path, size_t length, enum url_level level) {
  struct built built = {.url = BUFFER_EMPTY};
  char *exact = malloc(length == 0 ? 1 : length);
  assert_non_null(exact);
  memcpy(exact, path, length);
  built.status = url_build(base, exact, length, level, &built.url, &built.facts);
  free(exact);
  return built;
}

static struct built build(const struct url_base *base, const char *path, enum url_level level) {
  return build_bytes(base, path, strlen(path), level);
}

struct good_row {
  const char *path, *url;
};

static void expect_urls(const struct url_base *base, enum url_level level, const struct good_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct built built = build(base, rows[i].path, level);
    if (built.status != URL_OK) fail_msg("%s: %s", rows[i].path, built.facts.error);
    assert_string_equal(built.url.data, rows[i].url);
    assert_int_equal(built.facts.has_query, strchr(rows[i].url, '?') != NULL);
    assert_null(built.facts.error);
    buffer_free(&built.url);
  }
}

static void expect_refusals(const struct url_base *base, enum url_status status, const char *error, const char *const *paths) {
  for (; *paths != NULL; paths++) {
    struct built built = build(base, *paths, URL_LEVEL_BY_SERVICE);
    if (built.status != status) fail_msg("%s: status %d", *paths, (int)built.status);
    assert_non_null(built.facts.error);
    if (strstr(built.facts.error, error) == NULL) fail_msg("%s: %s", *paths, built.facts.error);
    buffer_free(&built.url);
  }
}

/* ======================================================================== */
/* Services and levels                                                      */
/* ======================================================================== */

#define ORGANIZATION "https://cloud.uipath.com/acme/"
#define TENANT "https://cloud.uipath.com/acme/T/"
#define ORCHESTRATOR "https://cloud.uipath.com/acme/T/orchestrator_/"

static void the_first_segment_names_the_service(void **state) {
  (void)state;
  static const struct good_row rows[] = {
      {"odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"/odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"//odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"odata", ORCHESTRATOR "odata"},
      {"odata/", ORCHESTRATOR "odata/"},
      {"api/Status/Version", ORCHESTRATOR "api/Status/Version"},
      {"tasks/GenericTasks/CreateTask", ORCHESTRATOR "tasks/GenericTasks/CreateTask"},
      {"swagger/v20.0/swagger.json", ORCHESTRATOR "swagger/v20.0/swagger.json"},
      {"orchestrator_/odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"testmanager_/api/v2/projects", TENANT "testmanager_/api/v2/projects"},
      {"du_", TENANT "du_"},
      {"/new_/x", TENANT "new_/x"},
      {"identity_/api/User", ORGANIZATION "identity_/api/User"},
      {"identity_", ORGANIZATION "identity_"},
      {"portal_/api/x", ORGANIZATION "portal_/api/x"},
      {"audit_/api/auditlogs", ORGANIZATION "audit_/api/auditlogs"},
      {"orgaudit_/api/query/events", ORGANIZATION "orgaudit_/api/query/events"},
      {"notificationservice_/x", ORGANIZATION "notificationservice_/x"},
      {"pap_/api/x", ORGANIZATION "pap_/api/x"},
      {"lrm/api/x", ORGANIZATION "lrm/api/x"},
      {"la", ORGANIZATION "la"},
      {"studio_/backend", ORGANIZATION "studio_/backend"},
      {"tenantaudit_/api/query/events", TENANT "tenantaudit_/api/query/events"},
      /* names that only resemble services */
      {"lrms/x", ORCHESTRATOR "lrms/x"},
      {"lab/x", ORCHESTRATOR "lab/x"},
      {"identity/x", ORCHESTRATOR "identity/x"},
      {"_/x", ORCHESTRATOR "_/x"},
      {"odata/portal_/x", ORCHESTRATOR "odata/portal_/x"},
      {"evil.example//x", ORCHESTRATOR "evil.example//x"},
      {"https:/cloud.uipath.com/x", ORCHESTRATOR "https:/cloud.uipath.com/x"},
      {"odata/X('a://b')", ORCHESTRATOR "odata/X('a://b')"},
  };
  expect_urls(&cloud, URL_LEVEL_BY_SERVICE, rows, COUNT(rows));
}

static void level_overrules_what_is_known_of_a_service(void **state) {
  (void)state;
  static const struct good_row organization[] = {
      {"new_/x", ORGANIZATION "new_/x"},
      {"testmanager_/x", ORGANIZATION "testmanager_/x"},
      {"portal_/x", ORGANIZATION "portal_/x"},
      {"odata/Jobs", ORGANIZATION "orchestrator_/odata/Jobs"},
  };
  static const struct good_row tenant[] = {
      {"portal_/x", TENANT "portal_/x"},
      {"lrm/x", TENANT "lrm/x"},
      {"new_/x", TENANT "new_/x"},
      {"odata/Jobs", ORCHESTRATOR "odata/Jobs"},
  };
  static const struct good_row identity[] = {{"identity_/api/User", "https://id.example:8443/sts/api/User"}};
  expect_urls(&cloud, URL_LEVEL_ORGANIZATION, organization, COUNT(organization));
  expect_urls(&cloud, URL_LEVEL_TENANT, tenant, COUNT(tenant));
  for (int level = URL_LEVEL_BY_SERVICE; level <= URL_LEVEL_TENANT; level++)
    expect_urls(&elsewhere, (enum url_level)level, identity, COUNT(identity));
}

static void a_tenant_is_needed_for_its_services_only(void **state) {
  (void)state;
  static const char *const needing[] = {"odata/Jobs", "testmanager_/x", "new_/x", NULL};
  static const struct good_row rows[] = {
      {"identity_/api/User", ORGANIZATION "identity_/api/User"},
      {"lrm/x", ORGANIZATION "lrm/x"},
      {"acme/portal_/x", ORGANIZATION "portal_/x"},
      {"https://cloud.uipath.com/acme/U/orchestrator_/odata/Jobs", "https://cloud.uipath.com/acme/U/orchestrator_/odata/Jobs"},
  };
  expect_refusals(&tenantless, URL_NO_TENANT, "no tenant is given", needing);
  expect_urls(&tenantless, URL_LEVEL_BY_SERVICE, rows, COUNT(rows));
  struct built built = build(&tenantless, "new_/x", URL_LEVEL_ORGANIZATION);
  assert_int_equal(built.status, URL_OK);
  buffer_free(&built.url);
}

static void a_path_may_begin_at_the_hosts_root(void **state) {
  (void)state;
  static const struct good_row rows[] = {
      {"/acme/T/orchestrator_/odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"acme/T/testmanager_/x", TENANT "testmanager_/x"},
      {"acme/T", "https://cloud.uipath.com/acme/T"},
      {"ACME/t/orchestrator_/odata/Jobs", "https://cloud.uipath.com/ACME/t/orchestrator_/odata/Jobs"},
      {"acme/portal_/x", ORGANIZATION "portal_/x"},
      {"acme/lrm/x", ORGANIZATION "lrm/x"},
      {"acme/new_/x", ORGANIZATION "new_/x"},
      /* not both of the two */
      {"acme", ORCHESTRATOR "acme"},
      {"acme/", ORCHESTRATOR "acme/"},
      {"acme/Other/orchestrator_/odata/Jobs", ORCHESTRATOR "acme/Other/orchestrator_/odata/Jobs"},
      {"other/T/orchestrator_/odata/Jobs", ORCHESTRATOR "other/T/orchestrator_/odata/Jobs"},
      {"T/acme/x", ORCHESTRATOR "T/acme/x"},
  };
  static const struct url_base prefixed = {
      .base_url = "https://h.example/gateway", .organization = "a b", .tenant = "Tr\xC3\xA4ger"};
  static const struct good_row below_prefix[] = {
      {"odata/Jobs", "https://h.example/gateway/a%20b/Tr%C3%A4ger/orchestrator_/odata/Jobs"},
      {"a b/Tr\xC3\xA4ger/orchestrator_/odata/Jobs", "https://h.example/a%20b/Tr%C3%A4ger/orchestrator_/odata/Jobs"},
      {"a%20b/tr%c3%a4ger/x", "https://h.example/a%20b/tr%c3%a4ger/x"},
  };
  expect_urls(&cloud, URL_LEVEL_BY_SERVICE, rows, COUNT(rows));
  expect_urls(&prefixed, URL_LEVEL_BY_SERVICE, below_prefix, COUNT(below_prefix));
}

static void deployments_differ_in_their_urls(void **state) {
  (void)state;
  static const struct good_row of_suite[] = {
      {"odata/Jobs", "https://suite.example/acme/T/orchestrator_/odata/Jobs"},
      {"identity_/api/User", "https://suite.example/identity_/api/User"},
      {"portal_/x", "https://suite.example/acme/portal_/x"},
      {"acme/T/du_/x", "https://suite.example/acme/T/du_/x"},
  };
  static const struct good_row of_standalone[] = {
      {"odata/Jobs", "https://on.example/orch/odata/Jobs"},
      {"orchestrator_/odata/Jobs", "https://on.example/orch/odata/Jobs"},
      {"api/Status", "https://on.example/orch/api/Status"},
      {"identity_/api/User", "https://on.example/orch/identity/api/User"},
      {"T/odata/Jobs", "https://on.example/orch/T/odata/Jobs"},
      {"https://on.example/orch/odata/Jobs", "https://on.example/orch/odata/Jobs"},
  };
  expect_urls(&suite, URL_LEVEL_BY_SERVICE, of_suite, COUNT(of_suite));
  expect_urls(&standalone, URL_LEVEL_BY_SERVICE, of_standalone, COUNT(of_standalone));
  /* where an organization is no part of any path */
  struct url_base with_organization = standalone;
  with_organization.organization = "acme";
  static const struct good_row below_base[] = {{"acme/T/x", "https://on.example/orch/acme/T/x"}};
  expect_urls(&with_organization, URL_LEVEL_BY_SERVICE, below_base, COUNT(below_base));

  static const struct {
    const struct url_base *base;
    const char *url;
  } endpoints[] = {
      {&cloud, "https://cloud.uipath.com/acme/identity_/connect/token"},
      {&elsewhere, "https://id.example:8443/sts/connect/token"},
      {&suite, "https://suite.example/identity_/connect/token"},
      {&standalone, "https://on.example/orch/identity/connect/token"},
  };
  for (size_t i = 0; i < COUNT(endpoints); i++) {
    struct buffer url = BUFFER_EMPTY;
    assert_true(url_token_endpoint(endpoints[i].base, &url));
    assert_string_equal(url.data, endpoints[i].url);
    buffer_free(&url);
  }
}

static void entity_sets_of_orchestrator_are_known(void **state) {
  (void)state;
  static const struct {
    const struct url_base *base;
    const char *path;
    bool odata;
  } rows[] = {
      {&cloud, "odata/Jobs", true},
      {&cloud, "/odata/Jobs?$top=5", true},
      {&cloud, "orchestrator_/odata/Jobs", true},
      {&cloud, "acme/T/orchestrator_/odata/Jobs", true},
      {&cloud, "https://cloud.uipath.com/acme/T/orchestrator_/odata/Jobs?$skip=10", true},
      {&cloud, "odatax/Jobs", false},
      {&cloud, "api/odata", false},
      {&cloud, "testmanager_/odata/x", false},
      {&cloud, "identity_/odata", false},
      {&cloud, "https://cloud.uipath.com", false},
      {&cloud, "https://cloud.uipath.com/odata/Jobs", false},
      {&cloud, "acme/T/odata/Jobs", true},
      {&cloud, "/acme/T/odata/Jobs(5)?$top=5", true},
      {&cloud, "https://cloud.uipath.com/acme/T/odata/Jobs", true},
      {&cloud, "https://cloud.uipath.com/acme/T/odata", true},
      {&cloud, "https://cloud.uipath.com/acme/Other/odata/Jobs", true},
      {&cloud, "https://cloud.uipath.com/acme/odata/Jobs", false},
      {&cloud, "https://cloud.uipath.com/acme/T/x/odata/Jobs", false},
      {&cloud, "https://cloud.uipath.com/acme/T/odatax/Jobs", false},
      {&cloud, "https://cloud.uipath.com/acme/dataservice_/odata/Jobs", false},
      {&cloud, "https://cloud.uipath.com/acme/portal_/odata/Jobs", false},
      {&cloud, "https://cloud.uipath.com//T/odata/Jobs", false},
      {&cloud, "acme/T/api/Folders", false},
      {&suite, "acme/T/odata/Jobs", true},
      {&suite, "odata/Jobs", true},
      {&standalone, "odata/Jobs", true},
      {&standalone, "orchestrator_/odata/Jobs", true},
      {&standalone, "https://on.example/orch/odata/Jobs", true},
      {&standalone, "https://on.example/orchid/odata/Jobs", false},
      {&standalone, "https://on.example/orch-odata/Jobs", false},
      {&standalone, "https://on.example/else/odata/Jobs", false},
      {&standalone, "https://on.example/", false},
      {&standalone, "api/odata", false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct built built = build(rows[i].base, rows[i].path, URL_LEVEL_BY_SERVICE);
    assert_int_equal(built.status, URL_OK);
    if (built.facts.odata != rows[i].odata) fail_msg("%s: odata is %d", rows[i].path, built.facts.odata);
    buffer_free(&built.url);
  }
}

/* ======================================================================== */
/* Whole URLs                                                               */
/* ======================================================================== */

static void a_whole_url_stays_as_it_is_on_the_same_origin(void **state) {
  (void)state;
  static const struct good_row rows[] = {
      {"https://cloud.uipath.com/acme/T/orchestrator_/odata/Jobs", ORCHESTRATOR "odata/Jobs"},
      {"https://cloud.uipath.com:443/x", "https://cloud.uipath.com:443/x"},
      {"HTTPS://Cloud.UiPath.COM/x", "HTTPS://Cloud.UiPath.COM/x"},
      {"https://cloud.uipath.com", "https://cloud.uipath.com"},
      {"https://cloud.uipath.com?a=b", "https://cloud.uipath.com?a=b"},
      {"https://cloud.uipath.com/a b/@c?d=e f", "https://cloud.uipath.com/a%20b/@c?d=e%20f"},
      /* what a server wrote keeps its plus signs */
      {"https://cloud.uipath.com/x?$skiptoken=a+b", "https://cloud.uipath.com/x?$skiptoken=a+b"},
      {"https://id.example:8443/other/api", "https://id.example:8443/other/api"},
  };
  static const struct url_base loopback = {.base_url = "http://[::1]:8080", .organization = "acme", .tenant = "T"};
  static const struct good_row of_loopback[] = {{"http://[::1]:8080/x", "http://[::1]:8080/x"}};
  expect_urls(&elsewhere, URL_LEVEL_BY_SERVICE, rows, COUNT(rows));
  expect_urls(&loopback, URL_LEVEL_BY_SERVICE, of_loopback, COUNT(of_loopback));
}

static void a_whole_url_of_another_origin_is_foreign(void **state) {
  (void)state;
  static const char *const others[] = {
      "http://cloud.uipath.com/x",
      "https://cloud.uipath.com:8443/x",
      "https://cloud.uipath.com:80/x",
      "https://evil.example/x",
      "https://cloud.uipath.com.evil.example/x",
      "https://evilcloud.uipath.com/x",
      "https://uipath.com/x",
      "https://cloud.uipath.com./x",
      "https://cloud%2Euipath.com/x",
      "https://cloud.uipath.com%40evil.example/x",
      "https://cloud.uipath.com\\.evil.example/x",
      "https://cloud.uipath.com\\/x",
      "https://id.example/x",
      "https://id.example:8443",
      "https://[::1]/x",
      NULL,
  };
  static const char *const malformed[] = {
      "https://cloud.uipath.com@evil.example/x",
      "https://user@cloud.uipath.com/x",
      "https://user:password@cloud.uipath.com/x",
      "https://cloud.uipath.com:443@evil.example/x",
      "https://cloud.uipath.com\\@evil.example/x",
      "https://cloud.uipath.com:443\\@evil.example/x",
      "https://cloud.uipath.com%2F@evil.example/x",
      "https://@cloud.uipath.com/x",
      "https://cloud.uipath.com:/x",
      "https://cloud.uipath.com:0/x",
      "https://cloud.uipath.com:65536/x",
      "https://cloud.uipath.com:4294967739/x",
      "https://cloud.uipath.com:443x/x",
      "https://[::1/x",
      "https://",
      "https:///x",
      "ftp://cloud.uipath.com/x",
      "file:///etc/passwd",
      "ws+https://cloud.uipath.com/x",
      NULL,
  };
  expect_refusals(&cloud, URL_FOREIGN, "base_url", others);
  expect_refusals(&cloud, URL_FOREIGN, "base_url", malformed);
}

/* ======================================================================== */
/* Characters                                                               */
/* ======================================================================== */

static void what_needs_it_is_percent_encoded(void **state) {
  (void)state;
  static const struct good_row rows[] = {
      {"odata/a b", ORCHESTRATOR "odata/a%20b"},
      {"odata/Gr\xC3\xB6\xC3\x9F" "e", ORCHESTRATOR "odata/Gr%C3%B6%C3%9Fe"},
      {"odata/\xF0\x9F\x98\x80", ORCHESTRATOR "odata/%F0%9F%98%80"},
      {"odata/\xFF", ORCHESTRATOR "odata/%FF"},
      {"odata/a%20b%2fc", ORCHESTRATOR "odata/a%20b%2fc"},
      {"odata/100%", ORCHESTRATOR "odata/100%25"},
      {"odata/%4", ORCHESTRATOR "odata/%254"},
      {"odata/%4x", ORCHESTRATOR "odata/%254x"},
      {"odata/%%41", ORCHESTRATOR "odata/%25%41"},
      {"odata/%23", ORCHESTRATOR "odata/%23"},
      {"odata/Buckets(5)/X.Y(path='a,b;c')", ORCHESTRATOR "odata/Buckets(5)/X.Y(path='a,b;c')"},
      {"odata/a+b", ORCHESTRATOR "odata/a+b"},
      {"odata/a\\b", ORCHESTRATOR "odata/a%5Cb"},
      {"odata/Jobs?", ORCHESTRATOR "odata/Jobs?"},
      {"odata/Jobs?$filter=Name eq 'a b'", ORCHESTRATOR "odata/Jobs?$filter=Name%20eq%20'a%20b'"},
      {"odata/Jobs?a=1&b=?/:@", ORCHESTRATOR "odata/Jobs?a=1&b=?/:@"},
      {"odata/Jobs?a=1+1%2B1", ORCHESTRATOR "odata/Jobs?a=1%2B1%2B1"},
      {"odata/Jobs?a=%zz\xC3\xA4", ORCHESTRATOR "odata/Jobs?a=%25zz%C3%A4"},
      {"odata/Jobs?a=../..", ORCHESTRATOR "odata/Jobs?a=../.."},
      {"odata/Jobs?a=%0A", ORCHESTRATOR "odata/Jobs?a=%0A"},
  };
  expect_urls(&cloud, URL_LEVEL_BY_SERVICE, rows, COUNT(rows));
}

static void every_byte_is_kept_encoded_or_refused(void **state) {
  (void)state;
  static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  for (int query = 0; query <= 1; query++) {
    const char *also_kept = query ? "/:@!$&'()*,;=?" : "/:@!$&'()*,;=?+";
    for (int byte = 0; byte < 256; byte++) {
      char path[] = "x?x_x", encoded[8];
      if (!query) path[1] = 'x';
      path[3] = (char)byte;
      struct built built = build_bytes(&cloud, path, sizeof path - 1, URL_LEVEL_BY_SERVICE);
      if (byte < ' ' || byte == 127 || byte == '#') {
        assert_int_equal(built.status, URL_INVALID);
      } else {
        bool kept = strchr(unreserved, byte) != NULL || strchr(also_kept, byte) != NULL;
        if (kept) snprintf(encoded, sizeof encoded, "x%cx", byte);
        else snprintf(encoded, sizeof encoded, "x%%%02Xx", (unsigned)byte);
        assert_int_equal(built.status, URL_OK);
        if (strcmp(built.url.data + built.url.length - strlen(encoded), encoded) != 0) fail_msg("%d: %s", byte, built.url.data);
      }
      buffer_free(&built.url);
    }
  }
}

static void what_has_no_place_in_a_path_is_refused(void **state) {
  (void)state;
  static const char *const empty[] = {"", "/", "//", "?a=b", "/?a=b", NULL};
  static const char *const fragments[] = {"odata/Jobs#x", "#", "odata/Jobs?a=#", "https://cloud.uipath.com#@evil.example", NULL};
  static const char *const dots[] = {
      ".",          "..",         "./odata/Jobs",   "odata/../api", "odata/./Jobs",  "odata/..",
      "odata/.",    "odata/%2e",  "odata/%2E%2e/x", "odata/.%2e",   "odata/%2e./x",  "odata/..?a=b",
      "acme/../T",  "du_/../x",   "/../x",          "..//x",        "https://cloud.uipath.com/../x",
      "https://cloud.uipath.com/%2e%2e/x", NULL};
  static const char *const controls[] = {"odata/a\nb", "odata/\r\nHost: evil", "odata/\x7F", "\todata", "odata/Jobs?a=\n",
                                         "odata/%00", "odata/%0d%0aHost:x", "https://cloud.uipath.com%00.evil.example/x", "odata/%7f", "https://cloud.uipath.com\t/x", NULL};
  static const struct good_row no_dots[] = {
      {"odata/...", ORCHESTRATOR "odata/..."}, {"odata/..a", ORCHESTRATOR "odata/..a"}, {"odata/.a", ORCHESTRATOR "odata/.a"}};
  expect_refusals(&cloud, URL_INVALID, "empty", empty);
  expect_refusals(&cloud, URL_INVALID, "'#'", fragments);
  expect_refusals(&cloud, URL_INVALID, "dot segments", dots);
  expect_refusals(&cloud, URL_INVALID, "control characters", controls);
  expect_urls(&cloud, URL_LEVEL_BY_SERVICE, no_dots, COUNT(no_dots));
  struct built built = build_bytes(&cloud, "odata/a\0b", 9, URL_LEVEL_BY_SERVICE);
  assert_int_equal(built.status, URL_INVALID);
  buffer_free(&built.url);
}

/* ======================================================================== */
/* Parameters and forms                                                     */
/* ======================================================================== */

static void parameters_are_appended_encoded(void **state) {
  (void)state;
  struct buffer url = BUFFER_EMPTY;
  bool has_query = false;
  assert_true(buffer_append_string(&url, "https://h/x"));
  assert_true(url_append_parameter(&url, &has_query, "$top", 4, "5", 1));
  assert_true(has_query);
  assert_true(url_append_parameter(&url, &has_query, "a b&c", 5, "1+1=2 &\xC3\xA4%41", 12));
  assert_true(url_append_parameter(&url, &has_query, "n", 1, "a\0b", 3));
  assert_true(url_append_parameter(&url, &has_query, "$e", 2, "", 0));
  assert_string_equal(url.data, "https://h/x?$top=5&a%20b%26c=1%2B1%3D2%20%26%C3%A4%2541&n=a%00b&$e=");
  buffer_free(&url);
}

static void a_parameter_that_is_there_already_is_found(void **state) {
  (void)state;
  static const struct {
    const char *url, *name;
    bool found;
  } rows[] = {
      {"https://h/x?$top=5", "$top", true},     {"https://h/x?$TOP=5", "$top", true},     {"https://h/x?%24top=5", "$top", true},
      {"https://h/x?a=1&$top=5", "$top", true}, {"https://h/x?$top", "$top", true},       {"https://h/x?$top=", "$top", true},
      {"https://h/x?a=1&&b=2", "b", true},      {"https://h/x?a=b?c=d&e=f", "e", true},   {"https://h/x?t%6Fp=1", "top", true},
      {"https://h/x?top=5", "$top", false},     {"https://h/x?$topper=5", "$top", false}, {"https://h/x?a=$top", "$top", false},
      {"https://h/x?$to=5", "$top", false},     {"https://h/x", "x", false},              {"https://h/x?", "x", false},
      {"https://h/$top=5", "$top", false},      {"https://h/x?a=b%26$top=5", "$top", false},
      {"https://h/x?a=b?c=d", "c", false},      {"https://h/x?%2", "%2", true},           {"https://h/x?to%", "top", false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    size_t length = strlen(rows[i].url);
    char *exact = malloc(length);
    assert_non_null(exact);
    memcpy(exact, rows[i].url, length);
    if (url_has_parameter(exact, length, rows[i].name, strlen(rows[i].name)) != rows[i].found)
      fail_msg("%s in %s", rows[i].name, rows[i].url);
    free(exact);
  }
}

static void form_fields_are_encoded_and_joined(void **state) {
  (void)state;
  struct buffer form = BUFFER_EMPTY;
  assert_true(url_append_form_field(&form, "grant_type", "client_credentials"));
  assert_true(url_append_form_field(&form, "secret", "a&b=c d+e%20/?#\"\\\n\xC3\xA4~"));
  assert_true(url_append_form_field(&form, "empty", ""));
  assert_string_equal(form.data,
                      "grant_type=client_credentials&secret=a%26b%3Dc%20d%2Be%2520%2F%3F%23%22%5C%0A%C3%A4~&empty=");
  buffer_free(&form);
}

static void links_to_the_own_host_keep_to_its_scheme_and_port(void **state) {
  (void)state;
  static const struct {
    const char *base, *link, *url;
  } rows[] = {
      {"https://h.example/a/b?c", "http://h.example/x?y=1", "https://h.example/x?y=1"},
      {"https://h.example/a", "https://H.example:8443/x", "https://h.example/x"},
      {"https://h.example:8443/a", "http://h.example/x", "https://h.example:8443/x"},
      {"http://[::1]:80/a", "https://[::1]/x", "http://[::1]:80/x"},
      {"https://h.example/a", "//h.example:1/x", "https://h.example/x"},
      {"https://h.example/a", "http://h.example", "https://h.example"},
      {"https://h.example/a/b", "c?d", "https://h.example/a/c?d"},
      {"https://h.example/a", "?d", "https://h.example/a?d"},
      {"https://h.example/a", "http://h.example.net/x", "http://h.example.net/x"},
      {"https://h.example/a", "https://other.example/x", "https://other.example/x"},
      {"https://h.example/a", "ftp://h.example/x", NULL},
      {"https://h.example/a", "https://h.example@other/x", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buffer url = BUFFER_EMPTY;
    bool resolved = url_resolve_link(rows[i].base, rows[i].link, strlen(rows[i].link), &url);
    assert_int_equal(resolved, rows[i].url != NULL);
    if (resolved) assert_string_equal(url.data, rows[i].url);
    buffer_free(&url);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(links_to_the_own_host_keep_to_its_scheme_and_port),
      cmocka_unit_test(the_first_segment_names_the_service),
      cmocka_unit_test(level_overrules_what_is_known_of_a_service),
      cmocka_unit_test(a_tenant_is_needed_for_its_services_only),
      cmocka_unit_test(a_path_may_begin_at_the_hosts_root),
      cmocka_unit_test(deployments_differ_in_their_urls),
      cmocka_unit_test(entity_sets_of_orchestrator_are_known),
      cmocka_unit_test(a_whole_url_stays_as_it_is_on_the_same_origin),
      cmocka_unit_test(a_whole_url_of_another_origin_is_foreign),
      cmocka_unit_test(what_needs_it_is_percent_encoded),
      cmocka_unit_test(every_byte_is_kept_encoded_or_refused),
      cmocka_unit_test(what_has_no_place_in_a_path_is_refused),
      cmocka_unit_test(parameters_are_appended_encoded),
      cmocka_unit_test(a_parameter_that_is_there_already_is_found),
      cmocka_unit_test(form_fields_are_encoded_and_joined),
  };
  return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
