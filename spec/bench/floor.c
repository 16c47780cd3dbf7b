/* The floor: what bare libcurl needs for the same requests. No JSON but the one string that is the token, no Lua.

   usage: floor BASE_URL CLIENT_ID CLIENT_SECRET SCOPE CA_DIR PATH COUNT [CONCURRENCY [HEADER]]

   BASE_URL is https://host:port/organization/tenant. One token, then COUNT times GET PATH (a %d in it is the number from 0), one after the other
   or CONCURRENCY at a time; HEADER is sent with each. The body of the last goes to stdout. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
  char *bytes;
  size_t length;
};

static size_t collect(char *bytes, size_t size, size_t count, void *user) {
  struct body *body = user;
  size_t length = size * count;
  body->bytes = realloc(body->bytes, body->length + length + 1);
  if (body->bytes == NULL) return 0;
  memcpy(body->bytes + body->length, bytes, length);
  body->length += length;
  body->bytes[body->length] = '\0';
  return length;
}

static void fail(const char *what) {
  fprintf(stderr, "floor: %s\n", what);
  exit(1);
}

static void set_common(CURL *easy, const char *ca_dir, struct body *body) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip"); /* as the module */
  curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
  curl_easy_setopt(easy, CURLOPT_CAPATH, ca_dir);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
}

static void check(CURL *easy, CURLcode result, const struct body *body) {
  long status = 0;
  if (result != CURLE_OK) fail(curl_easy_strerror(result));
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 || body->length == 0) fail("a request was not answered with 200");
}

/* Performs on the multi handle, if there is one: then later transfers share its connection. */
static CURLcode perform(CURLM *multi, CURL *easy) {
  if (multi == NULL) return curl_easy_perform(easy);
  int running = 1, left;
  curl_multi_add_handle(multi, easy);
  while (curl_multi_perform(multi, &running), running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  CURLcode result = curl_multi_info_read(multi, &left)->data.result;
  curl_multi_remove_handle(multi, easy);
  return result;
}

/* The header line with the token, fetched on this handle. */
static char *authorization(CURLM *multi, CURL *easy, const char *base, const char *id, const char *secret, const char *scope, struct body *body) {
  char url[512], form[1024], *line = NULL;
  const char *host_end = strchr(strstr(base, "://") + 3, '/');
  const char *organization_end = strchr(host_end + 1, '/');
  snprintf(url, sizeof url, "%.*s/identity_/connect/token", (int)(organization_end - base), base);
  char *escaped_id = curl_easy_escape(easy, id, 0), *escaped_secret = curl_easy_escape(easy, secret, 0);
  char *escaped_scope = curl_easy_escape(easy, scope, 0);
  snprintf(form, sizeof form, "grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s", escaped_id, escaped_secret, escaped_scope);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
  check(easy, perform(multi, easy), body);
  char *token = strstr(body->bytes, "\"access_token\":\"");
  if (token == NULL) fail("no token");
  token += strlen("\"access_token\":\"");
  if (asprintf(&line, "Authorization: Bearer %.*s", (int)strcspn(token, "\""), token) < 0) fail("no memory");
  curl_free(escaped_id);
  curl_free(escaped_secret);
  curl_free(escaped_scope);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  return line;
}

static void set_url(CURL *easy, const char *base, const char *path, int number) {
  char filled[1024], url[2048];
  snprintf(filled, sizeof filled, path, number);
  snprintf(url, sizeof url, "%s/%s", base, filled);
  curl_easy_setopt(easy, CURLOPT_URL, url);
}

/* All on one multi handle, so that the token's connection serves on; CONCURRENCY easy handles are used again and again. */
static void run_parallel(CURL *first, CURLM *multi, const char *base, const char *path, int count, int concurrency, const char *ca_dir, struct curl_slist *headers) {
  struct body *bodies = calloc((size_t)concurrency, sizeof *bodies);
  int started = 0, ended = 0, running;
  for (; started < concurrency && started < count; started++) {
    CURL *easy = started == 0 ? first : curl_easy_init();
    set_common(easy, ca_dir, &bodies[started]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)&bodies[started]);
    set_url(easy, base, path, started);
    curl_multi_add_handle(multi, easy);
  }
  while (ended < count) {
    curl_multi_perform(multi, &running);
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
      CURL *easy = message->easy_handle;
      char *private;
      CURLcode result = message->data.result;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
      struct body *body = (struct body *)(void *)private;
      check(easy, result, body);
      ended++;
      curl_multi_remove_handle(multi, easy);
      if (started == count) continue;
      body->length = 0;
      set_url(easy, base, path, started++);
      curl_multi_add_handle(multi, easy);
    }
    if (ended < count) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc < 8) fail("usage: floor BASE_URL CLIENT_ID CLIENT_SECRET SCOPE CA_DIR PATH COUNT [CONCURRENCY [HEADER]]");
  const char *base = argv[1], *ca_dir = argv[5], *path = argv[6];
  int count = atoi(argv[7]), concurrency = argc > 8 ? atoi(argv[8]) : 1;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM *multi = concurrency > 1 ? curl_multi_init() : NULL;
  CURL *easy = curl_easy_init();
  struct body body = {0};
  set_common(easy, ca_dir, &body);
  char *line = authorization(multi, easy, base, argv[2], argv[3], argv[4], &body);
  struct curl_slist *headers = curl_slist_append(NULL, line);
  if (argc > 9) headers = curl_slist_append(headers, argv[9]);
  if (multi != NULL) {
    run_parallel(easy, multi, base, path, count, concurrency, ca_dir, headers);
    return 0;
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  for (int i = 0; i < count; i++) {
    body.length = 0;
    set_url(easy, base, path, i);
    check(easy, curl_easy_perform(easy), &body);
  }
  fwrite(body.bytes, 1, body.length, stdout);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  free(line);
  free(body.bytes);
  curl_global_cleanup();
  return 0;
}
