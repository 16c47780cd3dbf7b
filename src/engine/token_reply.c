/* What the token endpoint's reply means: RFC 6749, sections 5.1 and 5.2, and the ways in which wrong URLs answer instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../json/number.h"
#include "../json/scan.h"
#include "blemish.h"
#include "text.h"
#include "token.h"
#include "token_source.h"
#include "url.h"

/* Far beyond any real lifetime; keeps the arithmetic of milliseconds safe. */
#define LONGEST_LIFETIME_S (366.0 * 24 * 3600)
#define MESSAGE_SIZE 512

static const char hint_credentials[] =
    "check client_id and client_secret: the App ID and App Secret of an external application (confidential) of this organization";
#define HINT_SCOPE \
  "grant the application these scopes as application scopes (not user scopes), or ask for fewer; offline_access is never granted here"
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
static bool is_sendable(const char *token, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (token[i] <= ' ' || token[i] > '~') return false;
  return length > 0;
}

/* Gives the string member of the object, malloc'ed; NULL if absent or of another kind. false: no memory. */
static bool read_string(const char *object, size_t length, const char *name, char **string) {
  struct json_member member;
  *string = NULL;
  if (json_find_member(object, length, name, &member) != 1 || member.kind != JSON_STRING) return true;
  *string = json_member_string(&member, NULL);
  return *string != NULL;
}

/* Gives the member `scope`, which RFC 6749 has as words and some servers as a list of them, as words; NULL if absent or of another kind.
   false: no memory. */
static bool read_scope(const char *body, size_t length, char **scope) {
  struct json_member list;
  if (json_find_member(body, length, "scope", &list) != 1 || list.kind != JSON_ARRAY) return read_string(body, length, "scope", scope);
  struct buffer words = BUFFER_EMPTY;
  bool added = true;
  const char *end = list.text + list.length;
  for (const char *text = list.text + 1; added && text < end;) {
    if (*text != '"') {
      bool is_nested = *text == '{' || *text == '[';
      if (is_nested) break; /* no list of words */
      text++;
      continue;
    }
    const char *behind = text + 1;
    while (*behind != '"') behind += *behind == '\\' ? 2 : 1; /* the text is valid: json_find_member has checked it */
    struct json_member item = {.kind = JSON_STRING, .text = text, .length = (size_t)(behind + 1 - text)};
    char *word = json_member_string(&item, NULL);
    added = word != NULL && (words.length == 0 || buffer_append_char(&words, ' ')) && buffer_append_string(&words, word);
    free(word);
    text = behind + 1;
  }
  *scope = words.length == 0 ? NULL : strdup(words.data);
  added = added && (words.length == 0 || *scope != NULL);
  buffer_free(&words);
  return added;
}

static bool looks_like_html(const char *body, size_t length) {
  while (length > 0 && (*body == ' ' || *body == '\r' || *body == '\n' || *body == '\t')) body++, length--;
  return length > 0 && *body == '<';
}

/* Overwrites a secret wherever it stands in the text. */
static void redact(char *text, const char *secret) {
  size_t length = secret == NULL ? 0 : strlen(secret);
  if (length == 0) return;
  for (char *found = text; (found = strstr(found, secret)) != NULL; found += length) memset(found, '*', length);
}

/* Cuts the text to MESSAGE_SIZE bytes, and not in the middle of a character. */
static void shorten(char *text) {
  static const char ellipsis[] = "\xE2\x80\xA6";
  if (strlen(text) <= MESSAGE_SIZE) return;
  size_t length = MESSAGE_SIZE - strlen(ellipsis);
  while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  memcpy(text + length, ellipsis, sizeof ellipsis);
}

/* Copies what a server said: on one line, and without the secret, should it be echoed as it is or as the form had it. NULL: no memory. */
static char *quote(const char *text, const struct token_source *source) {
  struct buffer encoded = BUFFER_EMPTY;
  const char *secret = source->client_secret;
  char *quoted = secret == NULL || url_escape(&encoded, secret, strlen(secret)) ? strdup(text) : NULL;
  if (quoted != NULL) {
    redact(quoted, encoded.data);
    redact(quoted, secret);
    shorten(quoted);
    for (char *c = quoted; *c != '\0'; c++)
      if (text_has_control(c, 1)) *c = ' ';
  }
  buffer_wipe(&encoded);
  return quoted;
}

/* Fills in a failure; message, code and hint are copied, code and hint may be NULL. Gives false. */
static bool fail(struct token_reply *reply, const struct token_source *source, const char *message, const char *code, const char *hint) {
  reply->message = quote(message, source);
  reply->code = code == NULL ? NULL : quote(code, source);
  reply->hint = hint == NULL ? NULL : strdup(hint);
  bool copied = reply->message != NULL && (code == NULL || reply->code != NULL) && (hint == NULL || reply->hint != NULL);
  if (!copied) token_reply_free(reply);
  return false;
}

/* A failure whose message begins with the status and says what came. */
static bool fail_with_status(struct token_reply *reply, const struct token_source *source, int status, const char *what, const char *hint) {
  char message[MESSAGE_SIZE];
  snprintf(message, sizeof message, "the token endpoint answered %d with %s", status, what);
  return fail(reply, source, message, NULL, hint);
}

static bool is_said(const char *text) {
  return text != NULL && text[0] != '\0';
}

/* What to do about invalid_client; text has room for MESSAGE_SIZE bytes. */
static const char *hint_for_credentials(const struct token_source *source, char *text) {
  const struct {
    const char *name, *value;
  } credentials[] = {{"client_id", source->client_id}, {"client_secret", source->client_secret}};
  for (size_t i = 0; i < sizeof credentials / sizeof *credentials; i++) {
    const char *value = credentials[i].value;
    const char *words = value == NULL ? NULL : blemish_words(blemish_find(value, strlen(value)));
    if (words == NULL) continue;
    snprintf(text, MESSAGE_SIZE, "%s; %s seems to %s: was that copied along?", hint_credentials, credentials[i].name, words);
    return text;
  }
  return hint_credentials;
}

/* An OAuth error object, or an error object of another kind. */
static bool fail_as_told(struct token_reply *reply, const struct token_source *source, int status, const char *body, size_t length) {
  char *code = NULL, *description = NULL, *message = NULL, plain[64], about_scope[MESSAGE_SIZE], about_credentials[MESSAGE_SIZE];
  struct json_member error;
  bool object = json_find_member(body, length, "error", &error) == 1 && error.kind == JSON_OBJECT;
  bool read = object ? read_string(error.text, error.length, "code", &code) && read_string(error.text, error.length, "message", &description)
                     : read_string(body, length, "error", &code) && read_string(body, length, "error_description", &description);
  if (read && read_string(body, length, "message", &message)) {
    const char *hint = status >= 500 || status == 429 ? hint_later : object || status == 404 || status == 405 ? token_hint_wrong_url : NULL;
    if (code != NULL && strcmp(code, "invalid_client") == 0) hint = hint_for_credentials(source, about_credentials);
    if (code != NULL && strcmp(code, "invalid_scope") == 0) {
      bool asked = source->scope != NULL && source->scope[0] != '\0';
      bool long_list = asked && strlen(source->scope) > 300;
      snprintf(about_scope, sizeof about_scope, asked ? "asked for %.300s%s: " HINT_SCOPE : "%s%s" HINT_SCOPE, asked ? source->scope : "",
               long_list ? " \xE2\x80\xA6" : "");
      hint = about_scope;
    }
    snprintf(plain, sizeof plain, "the token endpoint answered %d", status);
    fail(reply, source, is_said(description) ? description : is_said(message) ? message : is_said(code) ? code : plain,
         is_said(code) ? code : NULL, hint);
  }
  free(code);
  free(description);
  free(message);
  return false;
}

bool token_reply_read(int status, const char *body, size_t length, int64_t now, const struct token_source *source,
                      struct token_reply *reply) {
  *reply = (struct token_reply){0};
  struct json_member member, error;
  int found = json_find_member(body, length, "access_token", &member);
  if (found < 0) {
    if (status >= 500 || status == 429) return fail_with_status(reply, source, status, "no JSON", hint_later);
    bool html = looks_like_html(body, length);
    return fail_with_status(reply, source, status, length == 0 ? "nothing" : html ? "an HTML page instead of JSON" : "no JSON", token_hint_wrong_url);
  }
  bool has_error = json_find_member(body, length, "error", &error) == 1 && error.kind != JSON_NULL;
  if (status >= 300 || has_error) return fail_as_told(reply, source, status, body, length);
  if (found == 0 || member.kind != JSON_STRING) return fail_with_status(reply, source, status, "no usable access_token", token_hint_wrong_url);

  size_t value_length;
  char *scope = NULL, *value = json_member_string(&member, &value_length);
  if (value != NULL && !is_sendable(value, value_length))
    fail_with_status(reply, source, status, "no usable access_token", token_hint_wrong_url);
  else if (value != NULL && read_scope(body, length, &scope))
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
