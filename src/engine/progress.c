#include "progress.h"

#include "clock.h"
#include "download.h"
#include "engine_internal.h"

#define INTERVAL_MS 100

/* The size of the body that an upload sends. */
static int64_t upload_size(const struct flight *flight) {
  const struct call_body *body = &flight->call->request.body;
  return body->kind == BODY_BYTES ? (int64_t)body->bytes.length : (int64_t)flight->job.transfer.file_size;
}

static void tell(struct flight *flight, int64_t done, int64_t total) {
  if (done == flight->told_done) return;
  flight->told_done = done;
  engine_call_event(flight->call, &(struct call_event){.kind = EVENT_PROGRESS, .done = done, .total = total});
}

/* A download that began anew is told as such, however far it has come since. */
static void tell_of_download(struct flight *flight, const struct download *download) {
  if (download->restarts != flight->told_restarts && flight->told_done > 0) tell(flight, 0, download->total);
  flight->told_restarts = download->restarts;
  if (download->place == DOWNLOAD_IN_FILE) tell(flight, download->sink.length, download->total);
}

/* What libcurl has sent before an error is no more than that. */
static void tell_of_upload(struct flight *flight) {
  const struct transfer *transfer = &flight->job.transfer;
  const struct call_reply *reply = &flight->call->reply;
  bool is_done = transfer->easy == NULL && reply->error == CALL_OK && reply->status / 100 == 2;
  if (transfer->starts > 0) tell(flight, is_done ? upload_size(flight) : (int64_t)transfer->uploaded_bytes, upload_size(flight));
}

void progress_tell(struct flight *flight) {
  const struct call_request *request = &flight->call->request;
  if (!request->wants_progress) return;
  if (request->download != NULL)
    tell_of_download(flight, request->download);
  else
    tell_of_upload(flight);
}

static void on_due(void *owner) {
  struct flight *flight = owner;
  progress_tell(flight);
  timers_set(&flight->loop->timers, &flight->progress, clock_monotonic_ms() + INTERVAL_MS);
}

void progress_begin(struct flight *flight) {
  flight->progress.owner = flight;
  flight->progress.expired = on_due;
  flight->told_done = -1;
  if (flight->call->request.wants_progress)
    timers_set(&flight->loop->timers, &flight->progress, clock_monotonic_ms() + INTERVAL_MS);
}
