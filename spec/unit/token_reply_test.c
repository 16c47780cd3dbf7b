/* What the token endpoint's reply means: RFC 6749's answers, and what wrong URLs, proxies and sign-in pages answer instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/text.h"
#include "../../src/engine/token.h"
#include "../../src/engine/token_source.h"
#include "../../src/engine/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HOUR_MS (INT64_C(3600) * 1000)

/* With its encoded form it differs in '&' and the umlaut. */
#define SECRET "Gr\xC3\xBCn&s3cret(7)"
#define SECRET_ENCODED "Gr%C3%BCn%26s3cret%287%29"

/* The source that all replies are read for. */
static struct token_source *source;

static int get_source(void **state) {
  (void)state;
  struct transport_settings *transport = transport_settings_new(&(struct transport_settings){.ca_dir = "/nowhere"});
  struct token_key key = {.kind = TOKEN_CLIENT_CREDENTIALS, .endpoint = "https://h/connect/token", .client_id = "id", .client_secret = SECRET};
  source = token_source_get(&key, transport);
  transport_settings_release(transport);
  return source == NULL;
}

static int release_source(void **state) {
  (void)state;
  token_source_release(source);
  return 0;
}

/* token_reply_read of bytes that nothing follows in memory, so that a byte read too many is found out. */
static bool read_bytes(int status, const char *body, size_t length, struct token_reply *reply) {
  char *exact = malloc(length == 0 ? 1 : length);
  assert_non_null(exact);
  memcpy(exact, body, length);
  bool got = token_reply_read(status, exact, length, 1000, source, reply);
  free(exact);
  assert_int_equal(got, reply->token != NULL);
  assert_int_equal(got, reply->message == NULL);
  return got;
}

static bool read_reply(int status, const char *body, struct token_reply *reply) {
  return read_bytes(status, body, strlen(body), reply);
}

/* ======================================================================== */
/* A token                                                                  */
/* ======================================================================== */

static void a_token_is_taken_with_its_scope(void **state) {
  (void)state;
  static const struct {
    const char *body, *value, *scope;
  } rows[] = {
      {"{\"access_token\":\"eyJ.a-b_c\",\"expires_in\":3600,\"token_type\":\"Bearer\",\"scope\":\"OR.Jobs OR.Machines\"}", "eyJ.a-b_c",
       "OR.Jobs OR.Machines"},
      {" \r\n{ \"access_token\" : \"t\" } \n", "t", NULL},
      {"\xEF\xBB\xBF{\"access_token\":\"t\"}", "t", NULL},
      {"{\"access_token\":\"t\",\"scope\":\"\"}", "t", ""},
      {"{\"access_token\":\"t\",\"scope\":null}", "t", NULL},
      {"{\"access_token\":\"t\",\"scope\":[\"OR.Jobs\"]}", "t", "OR.Jobs"},
      {"{\"access_token\":\"t\",\"scope\":[ \"OR.Jobs\" , \"a\\\"\\u0062\\\\\", null, 5 ,\"c\"]}", "t", "OR.Jobs a\"b\\ c"},
      {"{\"access_token\":\"t\",\"scope\":[]}", "t", NULL},
      {"{\"access_token\":\"t\",\"scope\":[[\"a\"],\"b\"]}", "t", NULL},
      {"{\"access_token\":\"t\",\"scope\":{\"a\":\"b\"}}", "t", NULL},
      {"{\"access_token\":\"t\",\"error\":null}", "t", NULL},
      {"{\"access_token\":\"\\u0041\\/\\u007e\"}", "A/~", NULL},
      {"{\"\\u0061ccess_token\":\"t\"}", "t", NULL},
      {"{\"nested\":{\"access_token\":\"inner\"},\"access_token\":\"outer\"}", "outer", NULL},
      {"{\"access_token\":\"!~#$%&'()*+,-./:;<=>?@[]^_`{|}\"}", "!~#$%&'()*+,-./:;<=>?@[]^_`{|}", NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct token_reply reply;
    if (!read_reply(200, rows[i].body, &reply)) fail_msg("%s: %s", rows[i].body, reply.message);
    assert_string_equal(reply.token->value, rows[i].value);
    if (rows[i].scope == NULL) assert_null(reply.token->scope);
    else assert_string_equal(reply.token->scope, rows[i].scope);
    assert_null(reply.hint);
    assert_null(reply.code);
    token_reply_free(&reply);
    assert_null(reply.token);
  }
}

static void expires_in_is_read_tolerantly(void **state) {
  (void)state;
  static const struct {
    const char *expires_in; /* JSON; NULL: absent */
    int64_t lifetime_ms;
  } rows[] = {
      {NULL, HOUR_MS},      {"3600", HOUR_MS},     {"\"3600\"", HOUR_MS},      {"60", 60000},        {"\"60\"", 60000},
      {"1", 1000},          {"1.5", 1500},         {"\"1.5\"", 1500},          {"59.9999", 59999},   {"6e1", 60000},
      {"\"6E+1\"", 60000},  {"86400", 86400000},
      /* useless */
      {"0", HOUR_MS},       {"\"0\"", HOUR_MS},    {"-1", HOUR_MS},            {"\"-60\"", HOUR_MS}, {"0.5", HOUR_MS},
      {"-0", HOUR_MS},      {"null", HOUR_MS},     {"true", HOUR_MS},          {"[60]", HOUR_MS},    {"{\"s\":60}", HOUR_MS},
      {"\"\"", HOUR_MS},    {"\"soon\"", HOUR_MS}, {"\"60s\"", HOUR_MS},       {"\"0x3c\"", HOUR_MS}, {"\"nan\"", HOUR_MS},
      {"\"inf\"", HOUR_MS}, {"\" 60\"", HOUR_MS},  {"\"+60\"", HOUR_MS},       {"-1e400", HOUR_MS},
      /* at most a year */
      {"31622400", 366 * 24 * HOUR_MS},            {"31622401", 366 * 24 * HOUR_MS},
      {"9223372036854775807", 366 * 24 * HOUR_MS}, {"99999999999999999999", 366 * 24 * HOUR_MS},
      {"1e308", 366 * 24 * HOUR_MS},               {"1e400", 366 * 24 * HOUR_MS},
      {"\"9223372036854775808\"", 366 * 24 * HOUR_MS},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char body[200];
    struct token_reply reply;
    if (rows[i].expires_in == NULL) snprintf(body, sizeof body, "{\"access_token\":\"t\"}");
    else snprintf(body, sizeof body, "{\"access_token\":\"t\",\"expires_in\":%s}", rows[i].expires_in);
    if (!read_reply(200, body, &reply)) fail_msg("%s: %s", body, reply.message);
    if (reply.token->expires_at != 1000 + rows[i].lifetime_ms) fail_msg("%s: %lld", body, (long long)reply.token->expires_at);
    token_reply_free(&reply);
  }
}

/* ======================================================================== */
/* None                                                                     */
/* ======================================================================== */

#define URL_HINT "identity_url"
#define LATER_HINT "try again later"
#define TOKEN_MEMBER "\"access_token\":\"eyJhidden\""

static void a_failure_is_explained(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *body, *message, *code, *hint; /* message and hint: a part; NULL: none */
  } rows[] = {
      /* OAuth */
      {400, "{\"error\":\"invalid_scope\"}", "invalid_scope", "invalid_scope", "scopes"},
      {400, "{\"error\":\"invalid_client\"}", "invalid_client", "invalid_client", "client_secret"},
      {401, "{\"error\":\"invalid_client\",\"error_description\":\"No such client\"}", "No such client", "invalid_client", "client_secret"},
      {400, "{\"error\":\"invalid_grant\",\"error_description\":\"\"}", "invalid_grant", "invalid_grant", NULL},
      {400, "{\"error\":\"unsupported_grant_type\",\"error_description\":null}", "unsupported_grant_type", "unsupported_grant_type", NULL},
      {200, "{\"error\":\"invalid_scope\"," TOKEN_MEMBER "}", "invalid_scope", "invalid_scope", "scopes"},
      {400, "{\"error\":\"\"}", "answered 400", NULL, NULL},
      {400, "{\"error\":5}", "answered 400", NULL, NULL},
      {400, "{}", "answered 400", NULL, NULL},
      {400, "{" TOKEN_MEMBER "}", "answered 400", NULL, NULL},
      {400, "{\"message\":\"An error has occurred.\"}", "An error has occurred.", NULL, NULL},
      /* on-premises with the cloud's URL */
      {405,
       "{\"error\":{\"code\":\"UnsupportedApiVersion\",\"message\":\"The HTTP resource does not support HTTP method 'POST'.\","
       "\"innerError\":null}}",
       "does not support HTTP method 'POST'", "UnsupportedApiVersion", URL_HINT},
      {405, "{\"error\":{}}", "answered 405", NULL, URL_HINT},
      {405, "{\"error\":{\"code\":5,\"message\":[]},\"message\":\"outer\"}", "outer", NULL, URL_HINT},
      {200, "{\"error\":{\"message\":\"inner\"}," TOKEN_MEMBER "}", "inner", NULL, URL_HINT},
      {405, "{\"message\":\"no\"}", "no", NULL, URL_HINT},
      {404, "{\"message\":\"You are not authorized!\",\"errorCode\":0}", "You are not authorized!", NULL, URL_HINT},
      {405, "", "405 with nothing", NULL, URL_HINT},
      /* no object of JSON */
      {200, "<!DOCTYPE html><html>", "HTML page", NULL, URL_HINT},
      {200, " \r\n\t<html>", "HTML page", NULL, URL_HINT},
      {302, "<html>", "302 with an HTML page", NULL, URL_HINT},
      {404, "<html>", "404 with an HTML page", NULL, URL_HINT},
      {200, "", "200 with nothing", NULL, URL_HINT},
      {200, "OK", "no JSON", NULL, URL_HINT},
      {200, "{\"access_token\":\"t\"", "no JSON", NULL, URL_HINT},
      {200, "{\"access_token\":\"t\"} x", "no JSON", NULL, URL_HINT},
      {200, "{\"access_token\":'t'}", "no JSON", NULL, URL_HINT},
      {200, "[]", "no JSON", NULL, URL_HINT},
      {200, "[{\"access_token\":\"t\"}]", "no JSON", NULL, URL_HINT},
      {200, "\"t\"", "no JSON", NULL, URL_HINT},
      {200, "null", "no JSON", NULL, URL_HINT},
      {200, "{\"access_token\":\"\xFF\"}", "no JSON", NULL, URL_HINT},
      /* no token */
      {200, "{}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"token_type\":\"Bearer\",\"expires_in\":3600}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":null}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":5}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":{\"value\":\"eyJhidden\"}}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":[\"eyJhidden\"]}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"eyJhidden token\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"eyJhidden\\r\\nHost: evil\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"eyJhidden\\u0000more\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"\\u0000\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"eyJhidden\\u007f\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"eyJhidden\\u00e4\"}", "no usable access_token", NULL, URL_HINT},
      {200, "{\"access_token\":\"t\",\"access_token\":\"\"}", "no usable access_token", NULL, URL_HINT},
      /* the server's fault */
      {500, "<html>", "500 with no JSON", NULL, LATER_HINT},
      {502, "", "502 with no JSON", NULL, LATER_HINT},
      {503, "{\"error\":\"temporarily_unavailable\"}", "temporarily_unavailable", "temporarily_unavailable", LATER_HINT},
      {429, "{}", "answered 429", NULL, LATER_HINT},
      {429, "slow down", "429 with no JSON", NULL, LATER_HINT},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct token_reply reply;
    if (read_reply(rows[i].status, rows[i].body, &reply)) fail_msg("%s: a token", rows[i].body);
    if (strstr(reply.message, rows[i].message) == NULL) fail_msg("%s: %s", rows[i].body, reply.message);
    if (rows[i].code == NULL ? reply.code != NULL : reply.code == NULL || strcmp(reply.code, rows[i].code) != 0)
      fail_msg("%s: code %s", rows[i].body, reply.code == NULL ? "missing" : reply.code);
    if (rows[i].hint == NULL ? reply.hint != NULL : reply.hint == NULL || strstr(reply.hint, rows[i].hint) == NULL)
      fail_msg("%s: hint %s", rows[i].body, reply.hint == NULL ? "missing" : reply.hint);
    assert_null(strstr(reply.message, "hidden"));
    token_reply_free(&reply);
  }
}

static void every_end_of_a_reply_is_survived(void **state) {
  (void)state;
  static const char body[] =
      "{\"access_token\":\"\\u0041b\",\"expires_in\":\"3.6e3\",\"scope\":\"a b\",\"x\":[1,{\"y\":null}],\"z\":\"\xE2\x82\xAC\"}";
  for (size_t length = 0; length < sizeof body; length++) {
    struct token_reply reply;
    assert_int_equal(read_bytes(200, body, length, &reply), length == sizeof body - 1);
    token_reply_free(&reply);
  }
}

static void a_message_is_one_line_of_bounded_length(void **state) {
  (void)state;
  static const char *const escapes[] = {"a\\r\\nb", "a\\u0007\\tb", "a\\u007f\\u001bb"};
  char body[4096];
  struct token_reply reply;
  for (size_t i = 0; i < COUNT(escapes); i++) {
    snprintf(body, sizeof body, "{\"error\":\"%s\",\"error_description\":\"%s\"}", escapes[i], escapes[i]);
    assert_false(read_reply(400, body, &reply));
    assert_string_equal(reply.message, "a  b");
    assert_string_equal(reply.code, "a  b");
    token_reply_free(&reply);
  }
  /* whole characters, wherever the cut falls */
  for (int shift = 0; shift < 4; shift++) {
    int length = snprintf(body, sizeof body, "{\"error_description\":\"%.*s", shift, "xxxx");
    for (int i = 0; i < 600; i++, length += 3) memcpy(body + length, "\xE2\x82\xAC", 3);
    memcpy(body + length, "\"}", 3);
    assert_false(read_reply(400, body, &reply));
    assert_true(strlen(reply.message) >= 500 && strlen(reply.message) <= 512);
    assert_true(text_is_utf8(reply.message, strlen(reply.message)));
    assert_memory_equal(reply.message + strlen(reply.message) - 3, "\xE2\x80\xA6", 3);
    token_reply_free(&reply);
  }
}

/* Fails if so much as a part of the secret is in the text, which may be NULL. */
static void expect_no_secret(const char *text, const char *body) {
  static const char *const parts[] = {"Gr\xC3\xBC", "Gr%C3", "n&s", "n%26", "s3c", "3cre", "(7)", "287"};
  for (size_t i = 0; text != NULL && i < COUNT(parts); i++)
    if (strstr(text, parts[i]) != NULL) fail_msg("%s of %s", text, body);
}

static void no_secret_is_repeated(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"error\":\"%s\"}",
      "{\"error\":\"invalid_client\",\"error_description\":\"client_id=id&client_secret=%s&scope=\"}",
      "{\"error\":\"x\",\"error_description\":\"%1$s%1$s, %1$s\"}",
      "{\"error\":{\"code\":\"%1$s\",\"message\":\"not %1$s\"}}",
      "{\"message\":\"%s?\"}",
      "<html>%s</html>",
      "%s",
      "{\"access_token\":\"%s \"}",
  };
  static const char *const secrets[] = {SECRET, SECRET_ENCODED, "Gr\\u00fcn\\u0026s3cret(7)"};
  char body[2048];
  struct token_reply reply;
  for (size_t i = 0; i < COUNT(bodies); i++)
    for (size_t j = 0; j < COUNT(secrets); j++)
      for (int status = 200; status <= 500; status += 100) {
        snprintf(body, sizeof body, bodies[i], secrets[j]);
        assert_false(read_reply(status, body, &reply));
        expect_no_secret(reply.message, body);
        expect_no_secret(reply.code, body);
        expect_no_secret(reply.hint, body);
        token_reply_free(&reply);
      }
  /* nor where a long message is cut */
  for (int before = 450; before < 530; before++) {
    snprintf(body, sizeof body, "{\"error_description\":\"%0*d%s and more of it\"}", before, 0, SECRET);
    assert_false(read_reply(400, body, &reply));
    expect_no_secret(reply.message, body);
    token_reply_free(&reply);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_is_taken_with_its_scope),
      cmocka_unit_test(expires_in_is_read_tolerantly),
      cmocka_unit_test(a_failure_is_explained),
      cmocka_unit_test(every_end_of_a_reply_is_survived),
      cmocka_unit_test(a_message_is_one_line_of_bounded_length),
      cmocka_unit_test(no_secret_is_repeated),
  };
  return cmocka_run_group_tests_name("token_reply", tests, get_source, release_source);
}
