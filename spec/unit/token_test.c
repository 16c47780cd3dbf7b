/* How long a token serves, what a token request says, and who shares a source. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/token.h"
#include "../../src/engine/token_source.h"
#include "../../src/engine/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NEVER INT64_MAX

/* ======================================================================== */
/* Tokens                                                                   */
/* ======================================================================== */

static void a_token_is_renewed_and_given_up_before_it_expires(void **state) {
  (void)state;
  static const int64_t now = 5000;
  static const struct {
    int64_t lifetime, expires, unusable_before, renewed_before; /* the last two before `expires` */
  } rows[] = {
      {3600000, 3605000, 10000, 300000},
      {1500000, 1505000, 10000, 300000},
      {1499995, 1504995, 10000, 299999},
      {600000, 605000, 10000, 120000},
      {100000, 105000, 10000, 20000},
      {99990, 104990, 9999, 19998},
      {1000, 6000, 100, 200},
      {9, 5009, 0, 1},
      {1, 5001, 0, 0},
      {0, 5000, 0, 0},
      {INT64_MAX - 5000, INT64_MAX, 10000, 300000},
      /* never, or so late that it cannot be told */
      {-1, NEVER, 0, 0},
      {INT64_MIN, NEVER, 0, 0},
      {INT64_MAX - 4999, NEVER, 0, 0},
      {INT64_MAX, NEVER, 0, 0},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct token *token = token_new("t", NULL, now, rows[i].lifetime);
    assert_non_null(token);
    if (token->expires_at != rows[i].expires) fail_msg("lifetime %lld", (long long)rows[i].lifetime);
    assert_int_equal(token->expires_at - token->usable_until, rows[i].unusable_before);
    assert_int_equal(token->expires_at - token->renew_at, rows[i].renewed_before);
    token_release(token);
  }
  for (int64_t lifetime = 0; lifetime < 2000000; lifetime += 997) {
    struct token *token = token_new("t", NULL, 0, lifetime);
    assert_true(token->renew_at >= 0 && token->renew_at <= token->usable_until && token->usable_until <= token->expires_at);
    token_release(token);
  }
}

static void a_token_holds_copies_and_is_counted(void **state) {
  (void)state;
  char value[] = "secret", scope[] = "OR.Jobs";
  struct token *token = token_new(value, scope, 0, 1000);
  assert_non_null(token);
  memset(value, '-', 6);
  memset(scope, '-', 7);
  assert_string_equal(token->value, "secret");
  assert_string_equal(token->scope, "OR.Jobs");
  assert_ptr_equal(token_retain(token), token);
  token_release(token);
  assert_string_equal(token->value, "secret");
  token_release(token);
  token_release(NULL);
  token = token_new("t", NULL, 0, 1000);
  assert_null(token->scope);
  token_release(token);
}

/* ======================================================================== */
/* Sources                                                                  */
/* ======================================================================== */

static struct transport_settings *new_transport(bool insecure) {
  struct transport_settings *transport =
      transport_settings_new(&(struct transport_settings){.ca_dir = "/nowhere", .insecure = insecure, .connect_timeout_ms = 1000});
  assert_non_null(transport);
  return transport;
}

static const struct token_key client_credentials = {.kind = TOKEN_CLIENT_CREDENTIALS,
                                                    .endpoint = "https://h/connect/token",
                                                    .client_id = "id",
                                                    .client_secret = "secret",
                                                    .scope = "OR.Jobs OR.Machines"};

static void equal_keys_share_a_source(void **state) {
  (void)state;
  struct transport_settings *transport = new_transport(false), *equal = new_transport(false);
  char secret[] = "secret";
  struct token_key copied = client_credentials;
  copied.client_secret = secret;
  struct token_source *source = token_source_get(&copied, transport);
  assert_non_null(source);
  memset(secret, '-', 6); /* it was copied */
  assert_ptr_equal(token_source_get(&client_credentials, transport), source);
  assert_ptr_equal(token_source_get(&client_credentials, equal), source);
  assert_ptr_equal(token_source_retain(source), source);
  assert_int_equal(token_source_kind(source), TOKEN_CLIENT_CREDENTIALS);
  assert_string_equal(token_source_endpoint(source), "https://h/connect/token");
  assert_null(source->fixed);
  assert_false(token_source_is_abandoned(source));
  for (int i = 0; i < 3; i++) token_source_release(source);
  assert_true(token_source_is_abandoned(source));
  token_source_release(source);
  token_source_release(NULL);
  transport_settings_release(transport);
  transport_settings_release(equal);
}

static void every_part_of_a_key_tells_sources_apart(void **state) {
  (void)state;
  static const struct token_key keys[] = {
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", "OR.Jobs", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://i/connect/token", "id", "secret", "OR.Jobs", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "ID", "secret", "OR.Jobs", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "Secret", "OR.Jobs", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", "OR.Jobs OR.Machines", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", "", NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", NULL, NULL, 0, NULL},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", "OR.Jobs", NULL, 0, "one"},
      {TOKEN_CLIENT_CREDENTIALS, "https://h/connect/token", "id", "secret", "OR.Jobs", NULL, 0, "another"},
      {TOKEN_FIXED, NULL, NULL, NULL, NULL, "one", 0, NULL},
      {TOKEN_FIXED, NULL, NULL, NULL, NULL, "other", 0, NULL},
      {TOKEN_FUNCTION, NULL, NULL, NULL, NULL, NULL, 1, NULL},
      {TOKEN_FUNCTION, NULL, NULL, NULL, NULL, NULL, 2, NULL},
      {TOKEN_FUNCTION, NULL, NULL, NULL, NULL, "one", 0, NULL},
  };
  struct token_source *sources[2 * COUNT(keys)];
  struct transport_settings *transports[] = {new_transport(false), new_transport(true)};
  for (size_t i = 0; i < COUNT(sources); i++) {
    sources[i] = token_source_get(&keys[i / 2], transports[i % 2]);
    assert_non_null(sources[i]);
    for (size_t j = 0; j < i; j++)
      if (sources[i] == sources[j]) fail_msg("%d and %d are one", (int)j, (int)i);
  }
  /* from the middle of the list, its ends, and anew */
  for (size_t i = 1; i < COUNT(sources); i += 2) token_source_release(sources[i]);
  for (size_t i = 0; i < COUNT(sources); i += 2) {
    assert_ptr_equal(token_source_get(&keys[i / 2], transports[0]), sources[i]);
    token_source_release(sources[i]);
    assert_true(token_source_is_abandoned(sources[i]));
    token_source_release(sources[i]);
  }
  transport_settings_release(transports[0]);
  transport_settings_release(transports[1]);
}

static void a_fixed_token_is_there_from_the_beginning_and_never_expires(void **state) {
  (void)state;
  struct transport_settings *transport = new_transport(false);
  struct token_key key = {.kind = TOKEN_FIXED, .access_token = "rt_1"};
  struct token_source *source = token_source_get(&key, transport);
  assert_non_null(source);
  assert_string_equal(source->fixed->value, "rt_1");
  assert_true(source->fixed->usable_until == NEVER && source->fixed->renew_at == NEVER && source->fixed->expires_at == NEVER);
  token_source_release(source);
  transport_settings_release(transport);
}

static void *get_and_release(void *transport) {
  for (int i = 0; i < 2000; i++) {
    struct token_source *source = token_source_get(&client_credentials, transport);
    if (source == NULL) return NULL;
    token_source_release(token_source_retain(source));
    token_source_release(source);
  }
  return transport;
}

static void sources_may_be_shared_by_threads(void **state) {
  (void)state;
  struct transport_settings *transport = new_transport(false);
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, get_and_release, transport), 0);
  for (size_t i = 0; i < COUNT(threads); i++) {
    void *result;
    pthread_join(threads[i], &result);
    assert_ptr_equal(result, transport);
  }
  /* all references are gone: this is the only one */
  struct token_source *source = token_source_get(&client_credentials, transport);
  assert_true(token_source_is_abandoned(source));
  token_source_release(source);
  assert_int_equal(atomic_load(&transport->references), 1);
  transport_settings_release(transport);
}

/* ======================================================================== */
/* The request                                                              */
/* ======================================================================== */

/* The value of a form's field, decoded as a server would, malloc'ed; NULL: there is none of that name, or it is not encoded as it should be. */
static char *field(const char *form, const char *name) {
  size_t name_length = strlen(name);
  while (strncmp(form, name, name_length) != 0 || form[name_length] != '=') {
    form = strchr(form, '&');
    if (form++ == NULL) return NULL;
  }
  const char *from = form + name_length + 1;
  char *value = malloc(strlen(from) + 1), *to = value;
  assert_non_null(value);
  for (; *from != '\0' && *from != '&'; to++) {
    unsigned byte = (unsigned char)*from++;
    if (byte == '%' && sscanf(from, "%2X", &byte) == 1) from += 2;
    else if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", (int)byte) == NULL) break;
    *to = (char)byte;
  }
  *to = '\0';
  if (*from == '\0' || *from == '&') return value;
  free(value);
  return NULL;
}

static void expect_field(const char *form, const char *name, const char *expected) {
  char *value = field(form, name);
  if (value == NULL) fail_msg("no %s", name);
  else assert_string_equal(value, expected);
  free(value);
}

static void the_form_says_whatever_the_values_are(void **state) {
  (void)state;
  char every_byte[256], huge[20001];
  for (int i = 0; i < 255; i++) every_byte[i] = (char)(i + 1);
  every_byte[255] = '\0';
  memset(huge, '&', sizeof huge - 1);
  huge[sizeof huge - 1] = '\0';
  const struct {
    const char *id, *secret, *scope;
  } rows[] = {
      {"6f1a2b3c-0000-4000-8000-0123456789ab", "Abc$123(xyz)", "OR.Jobs OR.Machines.Read"},
      {"a&client_secret=b", "c&scope=d", "e&grant_type=password"},
      {"a b", "c+d%20e%zz", "f=g"},
      {"\xC3\xA4", "\xE2\x82\xAC\xF0\x9F\x98\x80", "\xFF"},
      {"", "", ""},
      {"id", "secret", NULL},
      {every_byte, every_byte, every_byte},
      {huge, huge, huge},
  };
  struct transport_settings *transport = new_transport(false);
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct token_key key = client_credentials;
    key.client_id = rows[i].id;
    key.client_secret = rows[i].secret;
    key.scope = rows[i].scope;
    struct token_source *source = token_source_get(&key, transport);
    struct buffer form = BUFFER_EMPTY;
    assert_true(token_request_form(source, &form));
    assert_int_equal(strlen(form.data), form.length);
    expect_field(form.data, "grant_type", "client_credentials");
    expect_field(form.data, "client_id", rows[i].id);
    expect_field(form.data, "client_secret", rows[i].secret);
    if (rows[i].scope != NULL && rows[i].scope[0] != '\0') expect_field(form.data, "scope", rows[i].scope);
    else assert_null(strstr(form.data, "scope"));
    buffer_wipe(&form);
    token_source_release(source);
  }
  transport_settings_release(transport);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_is_renewed_and_given_up_before_it_expires),
      cmocka_unit_test(a_token_holds_copies_and_is_counted),
      cmocka_unit_test(equal_keys_share_a_source),
      cmocka_unit_test(every_part_of_a_key_tells_sources_apart),
      cmocka_unit_test(a_fixed_token_is_there_from_the_beginning_and_never_expires),
      cmocka_unit_test(sources_may_be_shared_by_threads),
      cmocka_unit_test(the_form_says_whatever_the_values_are),
  };
  return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
