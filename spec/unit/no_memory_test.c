/* Each operation of the parts without I/O, with memory running out at its first allocation, its second, and so on to its last: it must say
   so, leave what was there as it was, and leak nothing. The linker leads all allocations here: see the Makefile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/call.h"
#include "../../src/engine/folder_header.h"
#include "../../src/engine/origin.h"
#include "../../src/engine/pace.h"
#include "../../src/engine/timer.h"
#include "../../src/engine/token.h"
#include "../../src/engine/transport.h"
#include "../../src/engine/url.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ======================================================================== */
/* The allocator                                                            */
/* ======================================================================== */

static int until_failure = -1; /* allocations that still succeed; -1: all do */
static bool keeps_failing;     /* after the first failure too */
static int failures;
static int allocations;
static int live; /* blocks that were not freed yet */

static bool fails(void) {
  bool failing = until_failure == 0 || (keeps_failing && failures > 0);
  if (until_failure >= 0) until_failure--;
  if (failing) failures++;
  else allocations++;
  return failing;
}

/* Counts a block. */
static void *counted(void *block) {
  if (block != NULL) live++;
  return block;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t length);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t length);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size) {
  if (fails()) return NULL;
  return block == NULL ? counted(__real_malloc(size)) : __real_realloc(block, size);
}

char *__wrap_strdup(const char *string) {
  return fails() ? NULL : counted(__real_strdup(string));
}

char *__wrap_strndup(const char *string, size_t length) {
  return fails() ? NULL : counted(__real_strndup(string, length));
}

void __wrap_free(void *block) {
  if (block != NULL) live--;
  __real_free(block);
}

/* Runs an operation, which gives whether it succeeded and frees what it made, with each of its allocations failing, alone and with all that
   follow. Gives how many allocations it takes. */
static int exhaust(bool (*operation)(void)) {
  for (int keep = 0; keep <= 1; keep++)
    for (int nth = 0;; nth++) {
      int live_before = live;
      until_failure = nth;
      keeps_failing = keep;
      failures = allocations = 0;
      bool done = operation();
      until_failure = -1;
      keeps_failing = false;
      if (done != (failures == 0)) fail_msg("allocation %d fails, and the operation %s", nth, done ? "does not say so" : "fails without");
      assert_int_equal(live, live_before);
      if (failures > 0) continue;
      assert_true(nth > 0);
      if (keep) return nth;
      break;
    }
  return 0;
}

/* ======================================================================== */
/* Buffers and URLs                                                         */
/* ======================================================================== */

/* Text that makes a buffer grow several times. */
#define LONG "/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG

static bool fill_buffer(void) {
  struct buffer buffer = BUFFER_EMPTY;
  bool filled = true;
  for (int i = 0; filled && i < 3000; i++) {
    struct buffer before = buffer;
    filled = buffer_append_char(&buffer, 'x') && buffer_append_string(&buffer, "yz") && buffer_append(&buffer, "\0", 1);
    if (!filled) assert_true(buffer.data == before.data && buffer.length < before.length + 4);
    if (buffer.data != NULL) assert_int_equal(buffer.data[buffer.length], '\0');
  }
  buffer_wipe(&buffer);
  return filled;
}

static void buffers(void **state) {
  (void)state;
  exhaust(fill_buffer);
}

static const struct url_base *base;
static const char *path;

static bool build_url(void) {
  struct buffer url = BUFFER_EMPTY;
  struct url_facts facts;
  enum url_status status = url_build(base, path, strlen(path), URL_LEVEL_BY_SERVICE, &url, &facts);
  assert_true(status == URL_OK || status == URL_NO_MEMORY);
  if (status == URL_OK) assert_string_equal(url.data + url.length - 8, "x=%20%41");
  buffer_free(&url);
  return status == URL_OK;
}

static bool build_token_endpoint(void) {
  struct buffer url = BUFFER_EMPTY;
  bool built = url_token_endpoint(base, &url);
  if (built) assert_non_null(strstr(url.data, "/connect/token"));
  buffer_free(&url);
  return built;
}

static void urls(void **state) {
  (void)state;
  static const struct url_base bases[] = {
      {URL_CLOUD, "https://h.example", NULL, "organization" LONGER, "tenant" LONGER},
      {URL_CLOUD, "https://h.example" LONG LONG, "https://i.example" LONGER, "organization", "tenant"},
      {URL_SUITE, "https://h.example" LONG LONG, NULL, "organization", "tenant"},
      {URL_STANDALONE, "https://h.example" LONG LONG, NULL, NULL, "tenant"},
  };
  static const char *const paths[] = {
      "odata/Jobs(5)?x= %41",     "odata" LONGER "?x= %41",        "testmanager_/x?a=" LONGER "&x= %41",
      "identity_/api?x= %41",     "portal_" LONGER "?x= %41",      "orchestrator_/odata?x= %41",
      "organization/tenant" LONGER "?x= %41", "https://h.example" LONGER "?x= %41",
  };
  for (size_t i = 0; i < COUNT(bases); i++) {
    base = &bases[i];
    exhaust(build_token_endpoint);
    for (size_t j = 0; j < COUNT(paths); j++) {
      path = paths[j];
      exhaust(build_url);
    }
  }
}

static bool resolve_link(void) {
  static const char *const links[] = {"x" LONGER, "../x" LONGER "?y=" LONGER, "?x=" LONGER, "",
                                      "//h.example" LONGER "/./x", "http://h.example/a/../b" LONGER};
  bool resolved = true;
  for (size_t i = 0; resolved && i < COUNT(links); i++) {
    struct buffer url = BUFFER_EMPTY;
    resolved = url_resolve("https://h.example/a/b" LONG LONG LONG "?c", links[i], strlen(links[i]), &url);
    buffer_free(&url);
  }
  return resolved;
}

static bool append_parameters(void) {
  struct buffer url = BUFFER_EMPTY;
  bool has_query = false;
  bool appended = buffer_append_string(&url, "https://h") && url_append_parameter(&url, &has_query, "$filter", 7, LONGER, strlen(LONGER)) &&
                  url_append_parameter(&url, &has_query, LONG, strlen(LONG), LONGER, strlen(LONGER));
  buffer_free(&url);
  return appended;
}

static void links_and_parameters(void **state) {
  (void)state;
  exhaust(resolve_link);
  exhaust(append_parameters);
}

/* ======================================================================== */
/* Calls and what they hold                                                 */
/* ======================================================================== */

static bool make_call(void) {
  static const char *const paths[] = {"a0b1c2d3-4567-89ab-cdef-0123456789ab", "Shared/Finance", "/Gr\xC3\xBCn" LONGER};
  struct call *call = call_new();
  if (call == NULL) return false;
  size_t expected = 0;
  bool made = folder_header_add_id(&call->request, 5) && ++expected;
  for (size_t i = 0; made && i < COUNT(paths); i++)
    made = folder_header_add_path(&call->request, paths[i], strlen(paths[i])) && ++expected;
  made = made && call_add_header(&call->request, "X-Empty", "") && ++expected;
  assert_int_equal(call->request.header_count, expected);
  call_release(call);
  return made;
}

static void calls_and_headers(void **state) {
  (void)state;
  exhaust(make_call);
}

static bool make_transport(void) {
  struct transport_settings *transport = transport_settings_new(
      &(struct transport_settings){.ca_file = "file", .ca_dir = "dir", .proxy = "http://user:password@proxy", .no_proxy = "*"});
  transport_settings_release(transport);
  return transport != NULL;
}

static bool set_timers(void) {
  static struct timer all[100];
  struct timers timers = {0};
  bool set = true;
  for (size_t i = 0; set && i < COUNT(all); i++) {
    all[i] = (struct timer){.due = 1};
    set = timers_set(&timers, &all[i], 1000 - (int64_t)i);
    assert_int_equal(timers.count, set ? i + 1 : i);
    if (set) continue;
    assert_int_equal(all[i].place, 0);
    assert_int_equal(all[i].due, 1);
    assert_int_equal(timers_next(&timers), i == 0 ? INT64_MAX : 1001 - (int64_t)i);
    if (i > 0) assert_true(timers_set(&timers, &all[0], 0)); /* one that has its place needs no memory */
  }
  timers_free(&timers);
  return set;
}

static bool find_service(void) {
  struct loop loop = {0};
  struct service *one = service_of(&loop, "https://h/du_/x"), *other = service_of(&loop, "https://h/pims_/x");
  services_free(&loop);
  origins_free(&loop);
  return one != NULL && other != NULL;
}

static void settings_timers_and_services(void **state) {
  (void)state;
  exhaust(make_transport);
  exhaust(set_timers);
  exhaust(find_service);
}

/* ======================================================================== */
/* Tokens                                                                   */
/* ======================================================================== */

static struct transport_settings *transport;
static struct token_source *source;
static const struct token_key client_credentials = {TOKEN_CLIENT_CREDENTIALS, "https://h", "id", "s3cret" LONGER, "OR.Jobs" LONGER, NULL, 0, NULL};

static int get_source(void **state) {
  (void)state;
  transport = transport_settings_new(&(struct transport_settings){.ca_dir = "/nowhere"});
  source = transport == NULL ? NULL : token_source_get(&client_credentials, transport);
  return source == NULL;
}

static int release_source(void **state) {
  (void)state;
  token_source_release(source);
  transport_settings_release(transport);
  return 0;
}

static bool make_token(void) {
  struct token *token = token_new("value", "scope", 0, 1000);
  token_release(token);
  return token != NULL;
}

static bool make_sources(void) {
  static const struct token_key keys[] = {
      {TOKEN_CLIENT_CREDENTIALS, "https://h", "id", "another", "scope", NULL, 0, NULL},
      {TOKEN_FIXED, NULL, NULL, NULL, NULL, "rt_1", 0, NULL},
      {TOKEN_FUNCTION, NULL, NULL, NULL, NULL, NULL, 1, NULL},
  };
  struct token_source *made[COUNT(keys)];
  bool all = true;
  for (size_t i = 0; i < COUNT(keys); i++) {
    made[i] = token_source_get(&keys[i], transport);
    if (made[i] == NULL) all = false;
  }
  /* the one that is there takes no memory */
  assert_ptr_equal(token_source_get(&client_credentials, transport), source);
  token_source_release(source);
  for (size_t i = 0; i < COUNT(keys); i++) token_source_release(made[i]);
  return all;
}

static bool fill_form(void) {
  struct buffer form = BUFFER_EMPTY;
  bool filled = token_request_form(source, &form);
  buffer_wipe(&form);
  return filled;
}

static int reply_status;
static const char *reply_body;

static bool read_reply(void) {
  struct token_reply reply;
  bool got = token_reply_read(reply_status, reply_body, strlen(reply_body), 0, source, &reply);
  assert_int_equal(got, reply.token != NULL);
  if (failures > 0) assert_true(reply.message == NULL && reply.code == NULL && reply.hint == NULL);
  else assert_true(got || reply.message != NULL);
  token_reply_free(&reply);
  return failures == 0;
}

static void tokens_and_sources(void **state) {
  (void)state;
  exhaust(make_token);
  exhaust(make_sources);
}

static void the_form_takes_one_allocation_so_that_no_copy_of_the_secret_is_left(void **state) {
  (void)state;
  assert_int_equal(exhaust(fill_form), 1);
}

static void token_replies(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *body;
  } rows[] = {
      {200, "{\"access_token\":\"t\",\"expires_in\":\"60\",\"scope\":\"OR.Jobs\"}"},
      {200, "{\"access_token\":\"t\"}"},
      {200, "{\"access_token\":\"t \"}"},
      {200, "{\"access_token\":5}"},
      {200, "<html>"},
      {200, ""},
      {400, "{\"error\":\"invalid_client\",\"error_description\":\"s3cret" LONGER LONGER "\"}"},
      {400, "{\"error\":\"invalid_scope\"}"},
      {400, "{\"error\":\"other\",\"message\":\"x\"}"},
      {405, "{\"error\":{\"code\":\"x\",\"message\":\"y\"}}"},
      {500, ""},
      {503, "{\"error\":\"temporarily_unavailable\"}"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    reply_status = rows[i].status;
    reply_body = rows[i].body;
    exhaust(read_reply);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(buffers),
      cmocka_unit_test(urls),
      cmocka_unit_test(links_and_parameters),
      cmocka_unit_test(calls_and_headers),
      cmocka_unit_test(settings_timers_and_services),
      cmocka_unit_test(tokens_and_sources),
      cmocka_unit_test(the_form_takes_one_allocation_so_that_no_copy_of_the_secret_is_left),
      cmocka_unit_test(token_replies),
  };
  return cmocka_run_group_tests_name("no_memory", tests, get_source, release_source);
}
