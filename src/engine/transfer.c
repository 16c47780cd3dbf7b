#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certificate.h"
#include "clock.h"
#include "download.h"
#include "headers.h"
#include "proxy.h"
#include "spare.h"
#include "trust.h"

/* libcurl's default of 16 KB makes a megabyte page 60 rounds; more than this gained nothing. */
#define RECEIVE_BUFFER_BYTES 65536L
/* Of a response; real ones are a few kilobytes. Below the limit that libcurl sets itself since 8.4 (300 KB). */
#define LARGEST_HEADERS_BYTES ((size_t)256 << 10)

/* Of a compressed body, unpacked while it comes and at each transfer_unpack after that: few real ones
   need a second piece, and one that was made to grow a thousandfold does not hold up the others. With
   16 MB at once it did, on a processor that others use too: timers came a quarter of a second late. */
#define UNPACKED_ON_THE_WAY ((size_t)1 << 20)
#define UNPACKED_AT_ONCE ((size_t)4 << 20)

static const char broken_coding[] = "the response's content encoding is broken: its body is no gzip, or is not whole";

/* ======================================================================== */
/* What libcurl calls                                                       */
/* ======================================================================== */

static void forget_body(struct transfer *transfer) {
  transfer->reply_body.length = transfer->packed.length = 0;
  transfer->coding = CODING_UNKNOWN;
  gunzip_end(&transfer->gunzip);
}

static size_t on_header(char *line, size_t size, size_t count, void *user) {
  struct transfer *transfer = user;
  size_t length = size * count;
  bool is_trailer = transfer->headers_complete && !transfer->is_interim;
  if (!is_trailer && length > 6 && memcmp(line, "HTTP/", 5) == 0) {
    /* A status line: what came before was a 100, or a proxy's. */
    sending_has_status(transfer, line);
    const char *code = memchr(line, ' ', length);
    transfer->is_interim = code != NULL && code + 1 < line + length && code[1] == '1';
    transfer->reply_headers.length = 0;
    forget_body(transfer);
    transfer->has_status = true;
    transfer->headers_complete = false;
    return length;
  }
  if (is_trailer) transfer->trailer_bytes += length;
  if (transfer->reply_headers.length + (is_trailer ? transfer->trailer_bytes : length) > LARGEST_HEADERS_BYTES) {
    transfer->too_large = true;
    return 0;
  }
  if (is_trailer) return length; /* its fields are none of the head's: nothing may rest on what comes behind the body */
  if (line[0] == '\r' || line[0] == '\n') transfer->headers_complete = true;
  if (buffer_append(&transfer->reply_headers, line, length)) return length;
  transfer->no_memory = true;
  return 0;
}

static bool is_word(const char *value, size_t length, const char *word) {
  return length == strlen(word) && strncasecmp(value, word, length) == 0;
}

/* The names of the codings that there are (RFC 9110, section 8.4.1, and its registry), but for gzip's own. */
static bool is_other_coding(const char *name, size_t length) {
  static const char *const codings[] = {"deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi", "aes128gcm", "pack200-gzip"};
  for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
    if (is_word(name, length, codings[i])) return true;
  return false;
}

/* How the body comes that begins. Names that are no coding ("utf-8") are of no account. */
static enum transfer_coding coding_of(struct transfer *transfer) {
  enum transfer_coding coding = CODING_NONE;
  size_t length = 0;
  for (const char *field = NULL; (field = headers_next(&transfer->reply_headers, "Content-Encoding", field, &length)) != NULL;) {
    for (const char *name = field, *end = field + length; name < end;) {
      while (name < end && (*name == ',' || *name == ' ' || *name == '\t')) name++;
      size_t name_length = 0;
      while (name + name_length < end && strchr(", \t", name[name_length]) == NULL) name_length++;
      bool is_gzip = is_word(name, name_length, "gzip") || is_word(name, name_length, "x-gzip");
      if (is_other_coding(name, name_length) || (is_gzip && coding == CODING_GZIP))
        transfer->body_failure = "the response has a content encoding that was not asked for";
      if (is_gzip) coding = CODING_GZIP;
      name += name_length;
    }
  }
  return coding;
}

/* Unpacks bytes of the body, as many as make at_once. After a failure the transfer is over, a member says why. */
static enum gunzip_result unpack(struct transfer *transfer, struct gunzip_input *input, size_t at_once) {
  enum gunzip_result result = gunzip(&transfer->gunzip, input, &transfer->reply_body, transfer->max_response_bytes, at_once);
  switch (result) {
    case GUNZIP_OK:
    case GUNZIP_MORE: break;
    case GUNZIP_TOO_LARGE: transfer->too_large = true; break;
    case GUNZIP_NO_MEMORY: transfer->no_memory = true; break;
    case GUNZIP_BROKEN: transfer->body_failure = broken_coding; break;
  }
  return result;
}

/* Keeps what unpack has left of the kept bytes. */
static void keep_rest(struct buffer *packed, const struct gunzip_input *rest) {
  memmove(packed->data, rest->bytes, rest->length);
  packed->length = rest->length;
}

/* A compressed body. As long as it cannot be more than max_response_bytes, however small it was made, it is kept: to unpack it would hold up
   the transfers beside it, which libcurl goes through before it says that one has ended. */
static size_t on_packed(struct transfer *transfer, const char *bytes, size_t length) {
  struct buffer *packed = &transfer->packed;
  struct gunzip_input input = {.bytes = bytes, .length = length};
  bool is_kept = !transfer->gunzip.begun || packed->length > 0;
  if (is_kept) {
    if (!buffer_append(packed, bytes, length)) {
      transfer->no_memory = true;
      return 0;
    }
    if (!transfer->gunzip.begun && packed->length <= transfer->max_response_bytes / GUNZIP_GREATEST_RATIO) return length;
    input = (struct gunzip_input){.bytes = packed->data, .length = packed->length};
  }
  enum gunzip_result result = unpack(transfer, &input, UNPACKED_ON_THE_WAY);
  if (result != GUNZIP_OK && result != GUNZIP_MORE) return 0;
  if (input.length == 0) {
    buffer_free(packed);
  } else if (is_kept) {
    keep_rest(packed, &input);
  } else if (!buffer_append(packed, input.bytes, input.length)) {
    transfer->no_memory = true;
    return 0;
  }
  return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
  struct transfer *transfer = user;
  size_t length = size * count;
  if (transfer->download != NULL) {
    long status = 0;
    transfer->progress_ms = clock_monotonic_ms();
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    switch (download_take(transfer->download, transfer, (int)status, bytes, length)) {
      case DOWNLOAD_TAKEN: return length;
      case DOWNLOAD_FOR_MEMORY: break;
      case DOWNLOAD_WAITS: transfer->is_paused = true; return CURL_WRITEFUNC_PAUSE;
      case DOWNLOAD_STOPS: return 0;
    }
  }
  if (transfer->coding == CODING_UNKNOWN) transfer->coding = coding_of(transfer);
  if (transfer->body_failure != NULL) return 0;
  if (transfer->coding == CODING_GZIP) return on_packed(transfer, bytes, length);
  if (length > transfer->max_response_bytes - transfer->reply_body.length) {
    transfer->too_large = true;
    return 0;
  }
  spare_take(&transfer->reply_body, length);
  if (buffer_append(&transfer->reply_body, bytes, length)) return length;
  transfer->no_memory = true;
  return 0;
}

static bool fail_to_read(struct transfer *transfer, const char *path, const char *why) {
  snprintf(transfer->file_failure, sizeof transfer->file_failure, "cannot read %.160s: %s", path, why);
  return false;
}

static bool has_grown(const struct transfer *transfer) {
  struct stat status;
  return fstat(fileno(transfer->file), &status) == 0 && status.st_size > transfer->file_size;
}

static size_t on_read_file(char *bytes, size_t size, size_t count, void *user) {
  struct transfer *transfer = user;
  /* No more than was announced, even where there is more by now. */
  off_t left = transfer->file_size - ftello(transfer->file);
  size_t wanted = left < (off_t)(size * count) ? (size_t)(left < 0 ? 0 : left) : size * count;
  size_t length = fread(bytes, 1, wanted, transfer->file);
  const char *why = NULL;
  if (ferror(transfer->file)) why = strerror(errno);
  /* The server would wait for as much as was announced. */
  else if (length < wanted) why = "it has become shorter";
  /* What is sent must not pass for the whole: the last bytes are held back then. */
  else if (length > 0 && (off_t)length == left && has_grown(transfer)) why = "it has become longer";
  if (why == NULL) return length;
  fail_to_read(transfer, "the file", why);
  return CURL_READFUNC_ABORT;
}

static int on_seek_file(void *user, curl_off_t offset, int origin) {
  struct transfer *transfer = user;
  return fseeko(transfer->file, (off_t)offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* Notes when the last byte of a streamed body went out. */
static int on_progress(void *user, curl_off_t to_download, curl_off_t downloaded, curl_off_t to_upload, curl_off_t uploaded) {
  (void)to_download, (void)to_upload;
  struct transfer *transfer = user;
  if (uploaded + downloaded != transfer->progress_bytes) transfer->progress_ms = clock_monotonic_ms();
  transfer->progress_bytes = uploaded + downloaded;
  transfer->uploaded_bytes = uploaded;
  return 0;
}

/* ======================================================================== */
/* The request                                                              */
/* ======================================================================== */

/* Appends a line in libcurl's notation to the request's headers. false: no memory. */
static bool add_line(struct transfer *transfer, const char *line) {
  struct curl_slist *longer = curl_slist_append(transfer->headers, line);
  if (longer == NULL) return false;
  transfer->headers = longer;
  return true;
}

/* Appends a header. false: no memory. */
static bool add_header(struct transfer *transfer, const char *name, const char *value) {
  struct buffer line = BUFFER_EMPTY;
  bool is_blank = value[strspn(value, " ")] == '\0';
  bool built = buffer_append_string(&line, name) && (is_blank ? buffer_append_char(&line, ';') /* without a value */
                                                              : buffer_append_string(&line, ": ") && buffer_append_string(&line, value));
  bool added = built && add_line(transfer, line.data);
  buffer_wipe(&line); /* it may have been Authorization */
  return added;
}

/* Asks for what is missing of a download. */
static bool add_range(struct transfer *transfer, const struct download *download) {
  char range[48];
  snprintf(range, sizeof range, "bytes=%lld-", (long long)download->sink.length);
  return add_header(transfer, "Range", range) && add_header(transfer, "If-Range", download->validator);
}

static bool add_headers(struct transfer *transfer, const struct transfer_request *request) {
  for (size_t i = 0; i < request->header_count; i++)
    if (!add_header(transfer, request->headers[i].name, request->headers[i].value)) return false;
  if (request->content_type != NULL && !add_header(transfer, "Content-Type", request->content_type)) return false;
  /* A tenth of the bytes. libcurl, which was not told, leaves the unpacking to us. A file is wanted as it is stored. */
  if (!add_line(transfer, request->download == NULL ? "Accept-Encoding: gzip" : "Accept-Encoding: identity")) return false;
  if (request->download != NULL && request->download->asked_for_rest && !add_range(transfer, request->download)) return false;
  /* Waiting for 100 (Continue) costs a second where a server does not know it. */
  if (!add_line(transfer, "Expect:")) return false;
  /* libcurl calls no body a form where the caller says nothing else; services that take no forms would answer 415. */
  bool has_body = request->body != NULL && request->body->kind != BODY_NONE;
  if (!has_body && !add_line(transfer, "Content-Type:")) return false;
  if (request->bearer_token == NULL) return true;

  struct buffer value = BUFFER_EMPTY;
  bool added = buffer_append_string(&value, "Bearer ") && buffer_append_string(&value, request->bearer_token) &&
               add_header(transfer, "Authorization", value.data);
  buffer_wipe(&value);
  return added;
}

/* What cannot be read is told before anything is sent. Of a pipe or device nobody knows the size, and opening one may last for good. */
static bool file_is_readable(struct transfer *transfer, const char *path, off_t *size) {
  struct stat status;
  if (stat(path, &status) != 0) return fail_to_read(transfer, path, strerror(errno));
  if (!S_ISREG(status.st_mode)) return fail_to_read(transfer, path, "it is not a regular file");
  if (access(path, R_OK) != 0) return fail_to_read(transfer, path, strerror(errno));
  *size = status.st_size;
  return true;
}

static bool add_part(struct transfer *transfer, const struct body_part *part) {
  curl_mimepart *mime_part = curl_mime_addpart(transfer->mime);
  off_t size;
  if (mime_part == NULL || curl_mime_name(mime_part, part->name) != CURLE_OK) return false;
  if (part->path != NULL) {
    if (!file_is_readable(transfer, part->path, &size) || curl_mime_filedata(mime_part, part->path) != CURLE_OK) return false;
  } else if (curl_mime_data(mime_part, part->bytes.data == NULL ? "" : part->bytes.data, part->bytes.length) != CURLE_OK) {
    return false;
  }
  return (part->filename == NULL || curl_mime_filename(mime_part, part->filename) == CURLE_OK) &&
         (part->content_type == NULL || curl_mime_type(mime_part, part->content_type) == CURLE_OK);
}

/* The body is streamed from the file; its size is announced, storage services insist. */
static bool set_file_body(struct transfer *transfer, const char *path) {
  if (!file_is_readable(transfer, path, &transfer->file_size)) return false;
  transfer->file = fopen(path, "rb");
  if (transfer->file == NULL) return fail_to_read(transfer, path, strerror(errno));
  CURL *easy = transfer->easy;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->file_size);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read_file);
  curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek_file);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
  return true;
}

static bool set_multipart_body(struct transfer *transfer, const struct call_body *body) {
  transfer->mime = curl_mime_init(transfer->easy);
  if (transfer->mime == NULL) return false;
  for (size_t i = 0; i < body->part_count; i++)
    if (!add_part(transfer, &body->parts[i])) return false;
  return curl_easy_setopt(transfer->easy, CURLOPT_MIMEPOST, transfer->mime) == CURLE_OK;
}

/* Method and body. libcurl's own notion of the method (CURLOPT_POST …) decides what it sends; the name is set on top. */
static bool set_method_and_body(struct transfer *transfer, const struct transfer_request *request) {
  CURL *easy = transfer->easy;
  const struct call_body *body = request->body;
  if (strcmp(request->method, "HEAD") == 0) return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
  bool sends_length = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
                      strcmp(request->method, "PATCH") == 0;
  switch (body == NULL ? BODY_NONE : body->kind) {
    case BODY_NONE:
      /* Content-Length: 0 where a body could be: some servers answer 411 without. */
      if (sends_length) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
      }
      break;
    case BODY_BYTES:
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->bytes.length);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->bytes.data == NULL ? "" : body->bytes.data);
      break;
    case BODY_FILE:
      if (!set_file_body(transfer, body->path)) return false;
      break;
    case BODY_MULTIPART:
      if (!set_multipart_body(transfer, body)) return false;
      break;
  }
  if (request->is_streamed || (body != NULL && (body->kind == BODY_FILE || body->kind == BODY_MULTIPART))) {
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
  }
  return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static bool set_connection(CURL *easy, const struct transport_settings *settings) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a stuck resolver must not hold a cancelled call */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_timeout_ms);
  if (settings->insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  /* An empty proxy keeps libcurl from reading the environment itself: that has been done where the options were. */
  return curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy == NULL ? "" : settings->proxy) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, settings->proxy_user) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, settings->proxy_password) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_NOPROXY, settings->no_proxy == NULL ? "" : settings->no_proxy) == CURLE_OK;
}

bool transfer_prepare(struct transfer *transfer, CURL *easy, const struct transfer_request *request) {
  transfer->easy = easy;
  transfer->transport = request->transport;
  transfer->max_response_bytes = request->max_response_bytes;
  transfer->repeatable = request->repeatable;
  transfer->starts = 0;
  transfer->has_status = transfer->headers_complete = transfer->is_interim = transfer->is_paused = false;
  transfer->trailer_bytes = 0;
  transfer->too_large = transfer->no_memory = false;
  transfer->file_failure[0] = transfer->error_text[0] = '\0';
  transfer->reply_headers.length = 0;
  transfer->body_failure = NULL;
  forget_body(transfer);
  transfer->progress_ms = clock_monotonic_ms();
  transfer->progress_bytes = transfer->uploaded_bytes = 0;
  transfer->download = request->download;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
  sending_begin(transfer, request->url);
  if (request->weight > 0) curl_easy_setopt(easy, CURLOPT_STREAM_WEIGHT, (long)request->weight);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  /* Rather a stream of the connection that is under way than one more. Without TLS, though, libcurl would wait for the answer on that one
     to learn what it can do, and HTTP/2 is not asked for there. */
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, transfer->sending.is_https ? 1L : 0L);
  if (request->download != NULL && !download_begin(request->download, request->looks)) return false;
  return set_connection(easy, request->transport) && add_headers(transfer, request) &&
         set_method_and_body(transfer, request) && curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

bool transfer_trust(struct transfer *transfer, enum trust trust) {
  if (trust < transfer->transport->least_trust) trust = transfer->transport->least_trust;
  transfer->trust = trust;
  transfer->error_text[0] = '\0';
  return trust_set(transfer->easy, transfer->transport, trust);
}

/* ======================================================================== */
/* The end                                                                  */
/* ======================================================================== */

const char *transfer_header(const struct transfer *transfer, const char *name, size_t *length) {
  return headers_last(&transfer->reply_headers, name, length);
}

/* What to do where no authority is known that vouches for the server. */
static const char *hint_for_authority(struct transfer *transfer) {
  const char *ca_dir = transfer->transport->ca_dir;
  if (ca_dir == NULL || transport_has_certificates(ca_dir))
    return "the server's certificate comes from an unknown authority: for a private one give ca_file or ca_dir";
  snprintf(transfer->hint_text, sizeof transfer->hint_text,
           "ca_dir (or SSL_CERT_DIR) is no directory of certificates under their hashes, as `openssl rehash` makes them: %s", ca_dir);
  return transfer->hint_text;
}

/* What is wrong with ca_file. */
static const char *hint_for_file(struct transfer *transfer) {
  const char *ca_file = transfer->transport->ca_file;
  if (ca_file == NULL) return NULL;
  int failure = access(ca_file, R_OK) == 0 ? 0 : errno;
  snprintf(transfer->hint_text, sizeof transfer->hint_text, "ca_file (or SSL_CERT_FILE) %s: %s",
           failure == 0 ? "holds no PEM certificates" : strerror(failure), ca_file);
  return transfer->hint_text;
}

/* Whether a connection that could not be made was to be one to the proxy: libcurl's words name who it was. */
static bool was_for_proxy(const struct transfer *transfer) {
  struct proxy_parts parts;
  char host[256];
  if (transfer->transport->proxy == NULL || proxy_split(transfer->transport->proxy, &parts) != NULL || parts.host_length >= sizeof host) return false;
  memcpy(host, parts.host, parts.host_length);
  host[parts.host_length] = '\0';
  return strcasestr(transfer->error_text, host) != NULL;
}

static enum certificate_fault certificate_fault_of(const struct transfer *transfer) {
  long verdict = -1;
  curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
  const char *libraries = curl_version_info(CURLVERSION_NOW)->ssl_version;
  return certificate_fault(libraries, verdict, transfer->error_text);
}

bool transfer_lacks_authority(const struct transfer *transfer, CURLcode result) {
  return result == CURLE_PEER_FAILED_VERIFICATION && transfer->starts == 0 &&
         transfer->trust < TRUST_BOTH &&
         certificate_fault_of(transfer) != CERTIFICATE_WRONG_HOST;
}

/* What is wrong with the server's certificate, in words on what to do. */
static const char *hint_for_certificate(struct transfer *transfer) {
  switch (certificate_fault_of(transfer)) {
    case CERTIFICATE_WRONG_HOST:
      return "the server's certificate names another host: check the host name in base_url (and identity_url)";
    case CERTIFICATE_OUT_OF_DATE:
      return "the server's certificate is out of date: its owner must renew it, unless this machine's clock is wrong";
    case CERTIFICATE_UNKNOWN_ISSUER:
      return hint_for_authority(transfer);
    case CERTIFICATE_UNCLEAR:
      break;
  }
  return "the server's certificate is not accepted: check the host name in base_url (and identity_url), the certificate's "
         "dates and, for a private authority, ca_file or ca_dir";
}

/* Whether a handshake failed because what answers does not speak TLS: OpenSSL's words, and GnuTLS's. */
static bool is_no_tls(const struct transfer *transfer) {
  return strstr(transfer->error_text, "wrong version number") != NULL || strstr(transfer->error_text, "unexpected TLS packet") != NULL;
}

/* What to do about a failure of the connection, or NULL. */
static const char *hint_for(struct transfer *transfer, CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "check the host name in base_url (and identity_url), and this machine's DNS";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "check the host name in proxy (or HTTPS_PROXY)";
    case CURLE_PROXY:
      return "the proxy did not make the connection: check proxy (or HTTPS_PROXY), its user and password";
    case CURLE_COULDNT_CONNECT:
      if (was_for_proxy(transfer))
        return "the proxy does not answer: nothing listens there, or a firewall is in between; check host and port in proxy (or HTTPS_PROXY)";
      return "nothing listens there, or a firewall is in between: check base_url; behind a proxy set proxy or HTTPS_PROXY";
    case CURLE_PEER_FAILED_VERIFICATION:
      return hint_for_certificate(transfer);
    case CURLE_SSL_CACERT_BADFILE:
      return hint_for_file(transfer);
    case CURLE_SSL_CONNECT_ERROR:
      return is_no_tls(transfer)
                 ? "what answers there does not speak TLS: check scheme (http:// instead of https://?), host and port of base_url"
                 : "the TLS handshake failed: is this an https:// address?";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return "what answers there does not speak HTTP: check scheme, host and port of base_url";
    default:
      return NULL;
  }
}

/* Whether the same request can only fail the same way. */
static bool is_permanent(const struct transfer *transfer, CURLcode result) {
  switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
      return is_no_tls(transfer); /* most other failures of a handshake are broken connections */
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

/* Retry-After may be a date, which is one of the server's clock: its Date says what that shows, ours may be wrong. */
static int64_t retry_after_of(const struct transfer *transfer) {
  size_t length, date_length;
  const char *value = transfer_header(transfer, "Retry-After", &length);
  if (value == NULL) return -1;
  const char *date = transfer_header(transfer, "Date", &date_length);
  int64_t now = date == NULL ? -1 : retry_date_parse(date, date_length);
  return retry_after_parse(value, length, now < 0 ? (int64_t)time(NULL) : now);
}

static int http_version_of(CURL *easy) {
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  switch (version) {
    case CURL_HTTP_VERSION_1_0: return 10;
    case CURL_HTTP_VERSION_1_1: return 11;
    case CURL_HTTP_VERSION_2_0: return 20;
    case CURL_HTTP_VERSION_3: return 30;
    default: return 0;
  }
}

static struct transfer_end permanent_failure(enum call_error error, const char *message) {
  return (struct transfer_end){.outcome = RETRY_PERMANENT, .error = error, .retry_after_ms = -1, .message = message};
}

static struct transfer_end too_large(const struct transfer *transfer) {
  if (!transfer->headers_complete || transfer->trailer_bytes > 0)
    return permanent_failure(CALL_TOO_LARGE, "the response's headers do not end");
  struct transfer_end end = permanent_failure(CALL_TOO_LARGE, "the response is larger than max_response_bytes");
  end.hint = "ask for less (top, select), or allow more: max_response_bytes";
  return end;
}

/* How far the transfer had come when the connection broke: libcurl's own words are often the same for all. */
static const char *place_of(const struct transfer *transfer) {
  if (transfer->starts == 0) return "before the request was sent";
  if (transfer_has_body(transfer)) return "in the middle of the response's body";
  if (transfer->headers_complete) return "after the response's headers";
  return transfer->reply_headers.length > 0 || transfer->has_status ? "in the middle of the response's headers" : "before the response";
}

/* Whether no HTTP came because a kept connection still held the end of an earlier response, which its server had announced as shorter. */
static bool is_leftover(const struct transfer *transfer, CURLcode result) {
  long connections = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
  return result == CURLE_UNSUPPORTED_PROTOCOL && connections == 0 && transfer->starts > 0;
}

/* Appends to the error text where it happened. */
static void add_place(struct transfer *transfer, const char *words) {
  char text[CURL_ERROR_SIZE];
  snprintf(text, sizeof text, "%.180s (%s)", words, place_of(transfer));
  memcpy(transfer->error_text, text, sizeof text);
}

/* Whether a response that the end of the connection ends may have been ended by somebody else: over TLS the server says good-bye. libcurl with
   OpenSSL takes it for whole without that (RFC 8446, 6.1; RFC 9112, 9.8). */
static bool is_cut_off(const struct transfer *transfer, long status) {
  size_t length;
  const char *method = NULL;
  if (!sending_lacks_goodbye(transfer) || status < 200 || status > 299 || status == 204 || http_version_of(transfer->easy) >= 20) return false;
  curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_METHOD, &method);
  return (method == NULL || strcmp(method, "HEAD") != 0) && transfer_header(transfer, "Content-Length", &length) == NULL &&
         transfer_header(transfer, "Transfer-Encoding", &length) == NULL;
}

bool transfer_has_body(const struct transfer *transfer) {
  bool has_written = transfer->download != NULL && transfer->download->place == DOWNLOAD_IN_FILE;
  return transfer->reply_body.length > 0 || transfer->packed.length > 0 || has_written;
}

bool transfer_is_packed(const struct transfer *transfer) {
  return transfer->packed.length > 0 || transfer->gunzip.begun;
}

bool transfer_unpack(struct transfer *transfer) {
  struct gunzip_input input = {.bytes = transfer->packed.data, .length = transfer->packed.length, .is_all = true};
  enum gunzip_result result = unpack(transfer, &input, UNPACKED_AT_ONCE);
  if (result == GUNZIP_MORE) {
    if (input.length > 0) keep_rest(&transfer->packed, &input);
    else buffer_free(&transfer->packed);
    return false;
  }
  if (result == GUNZIP_OK && !transfer->gunzip.is_whole) transfer->body_failure = broken_coding;
  buffer_free(&transfer->packed);
  gunzip_end(&transfer->gunzip);
  return true;
}

/* What to do about a proxy that has refused to make the connection with this status; NULL: nothing is known. */
static const char *hint_for_refusal(struct transfer *transfer, long status) {
  static const struct {
    long bit;
    const char *name;
  } methods[] = {{CURLAUTH_BASIC, "Basic"}, {CURLAUTH_DIGEST, "Digest"}, {CURLAUTH_NEGOTIATE, "Negotiate"}, {CURLAUTH_NTLM, "NTLM"}};
  if (status >= 500) return "the proxy could not make the connection: check the host name in base_url, and whether the proxy may reach it";
  if (status != 407) return "the proxy does not allow this connection: ask who runs it, or name the host in NO_PROXY";
  long offered = 0;
  char names[64] = "";
  curl_easy_getinfo(transfer->easy, CURLINFO_PROXYAUTH_AVAIL, &offered);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    if ((offered & methods[i].bit) == 0) continue;
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", names[0] == '\0' ? "" : ", ", methods[i].name);
  }
  if (names[0] != '\0' && (offered & (long)CURLAUTH_BASIC) == 0)
    snprintf(transfer->hint_text, sizeof transfer->hint_text, "the proxy asks for %s, which is not known here: only Basic is", names);
  else
    snprintf(transfer->hint_text, sizeof transfer->hint_text,
             "the proxy asks for a user and password%s%s%s: proxy = \"http://user:password@host:port\"", names[0] == '\0' ? "" : " (it offers ",
             names, names[0] == '\0' ? "" : ")");
  return transfer->hint_text;
}

struct transfer_end transfer_explain(struct transfer *transfer, CURLcode result) {
  if (transfer->file_failure[0] != '\0') return permanent_failure(CALL_FILE, transfer->file_failure);
  if (transfer->download != NULL && transfer->download->sink.failure[0] != '\0')
    return permanent_failure(CALL_FILE, transfer->download->sink.failure);
  if (transfer->no_memory) return permanent_failure(CALL_NO_MEMORY, "not enough memory for the response");
  if (transfer->too_large) return too_large(transfer);
  long status = 0, proxy_status = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  if (transfer->body_failure != NULL) {
    if (status >= 200 && status < 300) return permanent_failure(CALL_NETWORK, transfer->body_failure);
    /* What the status means holds without the words that came with it. */
    transfer->reply_body.length = 0;
    result = CURLE_OK;
  }
  if (result == CURLE_READ_ERROR) return permanent_failure(CALL_FILE, "a file of the body cannot be read");
  if (result == CURLE_OUT_OF_MEMORY) return permanent_failure(CALL_NO_MEMORY, "not enough memory");

  bool cut_off = result == CURLE_OK && is_cut_off(transfer, status);
  if (cut_off) result = CURLE_PARTIAL_FILE;

  int repetitions = transfer->starts > 1 ? transfer->starts - 1 : 0;
  if (result == CURLE_OK && transfer->headers_complete)
    return (struct transfer_end){.outcome = RETRY_RESPONSE,
                                 .status = (int)status,
                                 .retry_after_ms = retry_after_of(transfer),
                                 .http_version = http_version_of(transfer->easy),
                                 .repetitions = repetitions,
                                 .refusals = transfer->sending.refusals};

  struct transfer_end end = {.outcome = RETRY_BROKEN,
                             .error = CALL_NETWORK,
                             .retry_after_ms = -1,
                             .hint = hint_for(transfer, result),
                             .repetitions = repetitions,
                             .refusals = transfer->sending.refusals,
                             .message = transfer->error_text};
  if (transfer->starts == 0 || sending_was_refused(transfer)) end.outcome = RETRY_UNSENT;
  if (is_permanent(transfer, result) && !is_leftover(transfer, result)) end.outcome = RETRY_PERMANENT;
  const char *words = transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(result);
  /* libcurl takes the end of the connection for the end of the headers. */
  if (result == CURLE_OK) words = "the connection was closed";
  if (cut_off) words = "the TLS connection ended without close_notify";
  /* Of a broken HTTP/2 connection it tells some transfers no more than that nothing came. */
  if (result == CURLE_GOT_NOTHING && transfer->sending.stream > 0) words = "the HTTP/2 connection ended without an answer";
  if (sending_was_refused(transfer)) end.message = "the server refused the request unprocessed, and did so again (HTTP/2)";
  else if (result == CURLE_ABORTED_BY_CALLBACK) end.message = "the connection broke while the request was being sent";
  else if (end.outcome == RETRY_BROKEN) add_place(transfer, words);
  else if (words != transfer->error_text) snprintf(transfer->error_text, sizeof transfer->error_text, "%s", words);
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (transfer->starts == 0 && proxy_status >= 400) {
    if (proxy_status < 500) end.outcome = RETRY_PERMANENT;
    end.hint = hint_for_refusal(transfer, proxy_status);
  }
  return end;
}

void transfer_finish(struct transfer *transfer) {
  if (transfer->easy != NULL) {
    /* The handle will serve again: nothing of this request may stay in it. */
    curl_easy_reset(transfer->easy);
    transfer->easy = NULL;
  }
  sending_end(transfer);
  curl_mime_free(transfer->mime);
  transfer->mime = NULL;
  for (struct curl_slist *header = transfer->headers; header != NULL; header = header->next)
    memset(header->data, 0, strlen(header->data));
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  buffer_free(&transfer->packed);
  gunzip_end(&transfer->gunzip);
  transfer->download = NULL;
  if (transfer->file != NULL) fclose(transfer->file);
  transfer->file = NULL;
}

void transfer_free(struct transfer *transfer) {
  transfer_finish(transfer);
  buffer_free(&transfer->reply_headers);
  buffer_free(&transfer->reply_body);
}
