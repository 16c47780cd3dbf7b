/* What the token endpoint's reply means: RFC 6749, sections 5.1 and 5.2, and the ways in which wrong URLs answer instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../json/number.h"
#include "../json/scan.h"
#include "token.h"
#include "token_source.h"

/* Far beyond any real lifetime; keeps the arithmetic of milliseconds safe. */
#define LONGEST_LIFETIME_S (366.0 * 24 * 3600)
#define MESSAGE_SIZE 512

static const char hint_credentials[] =
    "check client_id and client_secret: the App ID and App Secret of an external application (confidential) of this organization";
static const char hint_scope[] =
    "grant the application these scopes as application scopes (not user scopes), or ask for fewer; offline_access is never granted here";
const char token_hint_wrong_url[] =
    "this is not the token endpoint: check base_url, organization and identity_url (Automation Suite and on-premises have other "
    "identity URLs: see deployment)";
static const char hint_later[] = "the identity server is busy or down: try again later";

/* The number in text, 0 if there is none. */
static double seconds_of(const char *text, size_t length) {
  char copy[32]; /* NUL-terminated, as number_read wants it */
  struct number number;
  if (length >= sizeof copy) return 0;
  memcpy(copy, text, length);
  copy[length] = '\0';
  if (number_read(copy, &number) != copy + length) return 0;
  return number.kind == NUMBER_INTEGER ? (double)number.integer : number.real;
}

/* expires_in as a number or a numeric string; absent or useless: the default. In ms. */
static int64_t lifetime_of(const char *body, size_t length) {
  struct json_member member;
  double seconds = 0;
  if (json_find_member(body, length, "expires_in", &member) == 1) {
    size_t quote = member.kind == JSON_STRING ? 1 : 0;
    if (member.kind == JSON_STRING || member.kind == JSON_NUMBER)
      seconds = seconds_of(member.text + quote, member.length - 2 * quote);
  }
  if (seconds < 1) return TOKEN_DEFAULT_LIFETIME_MS;
  return (int64_t)((seconds > LONGEST_LIFETIME_S ? LONGEST_LIFETIME_S : seconds) * 1000);
}

/* A token goes into a header: visible ASCII only. */
static bool is_sendable(const char *token) {
  if (token[0] == '\0') return false;
  for (; *token != '\0'; token++)
    if (*token <= ' ' || *token > '~') return false;
  return true;
}

/* The string member of the object, malloc'ed; NULL if absent, of another kind, or no memory. */
static char *string_member(const char *object, size_t length, const char *name) {
  struct json_member member;
  if (json_find_member(object, length, name, &member) != 1 || member.kind != JSON_STRING) return NULL;
  return json_member_string(&member, NULL);
}

static bool looks_like_html(const char *body, size_t length) {
  while (length > 0 && (*body == ' ' || *body == '\r' || *body == '\n' || *body == '\t')) body++, length--;
  return length > 0 && *body == '<';
}

/* Overwrites what follows the secret's first characters wherever a server echoes it. */
static void redact(char *message, const char *secret) {
  size_t length = secret == NULL ? 0 : strlen(secret);
  if (length == 0) return;
  for (char *found = message; (found = strstr(found, secret)) != NULL; found += length) memset(found, '*', length);
}

/* Fills in a failure; message, code and hint are copied, code and hint may be NULL. */
static bool fail(struct token_reply *reply, const struct token_source *source, const char *message, const char *code, const char *hint) {
  reply->message = strndup(message, MESSAGE_SIZE);
  reply->code = code == NULL ? NULL : strdup(code);
  reply->hint = hint == NULL ? NULL : strdup(hint);
  if (reply->message != NULL) {
    redact(reply->message, source->client_secret);
    for (char *c = reply->message; *c != '\0'; c++)
      if ((unsigned char)*c < ' ') *c = ' ';
  }
  return false;
}

/* A failure whose message begins with the status and says what came. */
static bool fail_with_status(struct token_reply *reply, const struct token_source *source, int status, const char *what, const char *hint) {
  char message[MESSAGE_SIZE];
  snprintf(message, sizeof message, "the token endpoint answered %d with %s", status, what);
  return fail(reply, source, message, NULL, hint);
}

/* An OAuth error object, or an error object of another kind. */
static bool fail_as_told(struct token_reply *reply, const struct token_source *source, int status, const char *body, size_t length) {
  char *code = string_member(body, length, "error");
  char *description = string_member(body, length, "error_description");
  struct json_member error;
  bool object = json_find_member(body, length, "error", &error) == 1 && error.kind == JSON_OBJECT;
  if (object) {
    code = string_member(error.text, error.length, "code");
    free(description);
    description = string_member(error.text, error.length, "message");
  }
  if (description == NULL) description = string_member(body, length, "message");
  const char *hint = status >= 500 || status == 429 ? hint_later : object || status == 404 || status == 405 ? token_hint_wrong_url : NULL;
  if (code != NULL && strcmp(code, "invalid_client") == 0) hint = hint_credentials;
  if (code != NULL && strcmp(code, "invalid_scope") == 0) hint = hint_scope;
  char plain[64];
  snprintf(plain, sizeof plain, "the token endpoint answered %d", status);
  fail(reply, source, description != NULL ? description : code != NULL ? code : plain, code, hint);
  free(code);
  free(description);
  return false;
}

bool token_reply_read(int status, const char *body, size_t length, int64_t now, const struct token_source *source,
                      struct token_reply *reply) {
  *reply = (struct token_reply){0};
  struct json_member member;
  int found = json_find_member(body, length, "access_token", &member);
  if (found < 0) {
    if (status >= 500 || status == 429) return fail_with_status(reply, source, status, "no JSON", hint_later);
    bool html = looks_like_html(body, length);
    return fail_with_status(reply, source, status, length == 0 ? "nothing" : html ? "an HTML page instead of JSON" : "no JSON", token_hint_wrong_url);
  }
  struct json_member error;
  bool has_error = json_find_member(body, length, "error", &error) == 1 && error.kind != JSON_NULL;
  if (status >= 300 || has_error) return fail_as_told(reply, source, status, body, length);

  char *value = found == 1 && member.kind == JSON_STRING ? json_member_string(&member, NULL) : NULL;
  if (value == NULL || !is_sendable(value)) {
    secret_free(value);
    return fail_with_status(reply, source, status, "no usable access_token", token_hint_wrong_url);
  }
  char *scope = string_member(body, length, "scope");
  reply->token = token_new(value, scope, now, lifetime_of(body, length));
  secret_free(value);
  free(scope);
  return reply->token != NULL;
}

void token_reply_free(struct token_reply *reply) {
  token_release(reply->token);
  free(reply->message);
  free(reply->hint);
  free(reply->code);
  *reply = (struct token_reply){0};
}
