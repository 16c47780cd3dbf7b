#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "download.h"
#include "spare.h"
#include "token.h"
#include "transport.h"

struct call *call_new(void) {
  struct call *call = calloc(1, sizeof *call);
  if (call == NULL) return NULL;
  atomic_init(&call->references, 1);
  atomic_init(&call->phase, CALL_NEW);
  call->request.max_attempts = 1;
  call->request.last_moment_ms = INT64_MAX;
  call->reply.retry_after_ms = -1;
  call->descriptor = NO_DESCRIPTOR;
  call->waiter = NO_DESCRIPTOR;
  call->events_end = &call->events;
  return call;
}

struct call *call_retain(struct call *call) {
  atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
  return call;
}

static void free_body(struct call_body *body) {
  buffer_free(&body->bytes);
  free(body->path);
  for (size_t i = 0; i < body->part_count; i++) {
    struct body_part *part = &body->parts[i];
    free(part->name);
    free(part->path);
    buffer_free(&part->bytes);
    free(part->filename);
    free(part->content_type);
  }
  free(body->parts);
}

static void free_request(struct call_request *request) {
  free(request->method);
  buffer_free(&request->url);
  for (size_t i = 0; i < request->header_count; i++) {
    free(request->headers[i].name);
    free(request->headers[i].value);
  }
  free(request->headers);
  free(request->folder_path);
  free_body(&request->body);
  transport_settings_release(request->transport);
  token_source_release(request->token_source);
  download_release(request->download);
}

static void free_reply(struct call_reply *reply) {
  free(reply->message);
  free(reply->hint);
  free(reply->code);
  buffer_free(&reply->url);
  buffer_free(&reply->headers);
  spare_give(&reply->body);
  token_release(reply->token);
}

void call_event_free(struct call_event *event) {
  token_release(event->token);
  free(event);
}

void call_release(struct call *call) {
  if (call == NULL || atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) != 1) return;
  free_request(&call->request);
  free_reply(&call->reply);
  descriptor_close(call->descriptor);
  secret_free(call->answer.token);
  free(call->answer.refusal);
  for (struct call_event *event = call->events, *next; event != NULL; event = next) {
    next = event->next;
    call_event_free(event);
  }
  free(call);
}

bool call_add_header(struct call_request *request, const char *name, const char *value) {
  /* Grown one by one: a call has a handful. */
  struct call_header *headers = realloc(request->headers, (request->header_count + 1) * sizeof *headers);
  if (headers == NULL) return false;
  request->headers = headers;
  struct call_header header = {strdup(name), strdup(value)};
  if (header.name == NULL || header.value == NULL) {
    free(header.name);
    free(header.value);
    return false;
  }
  headers[request->header_count++] = header;
  return true;
}
