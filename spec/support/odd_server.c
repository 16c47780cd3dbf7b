/* A server that keeps, ends and breaks its connections in odd ways: odd_server MODE [CERTIFICATE
   KEY]. With a certificate it speaks TLS, and HTTP/2 in the modes that begin with h2; without one
   plain HTTP/1.1. Prints "ready PID PORT", and then what happens, a line each:

     connection  somebody has connected
     request     a whole request has come
     closed      this end has said good-bye, after a response
     extra       a response that nobody asked for has been sent
     ticket      so has a session ticket of TLS 1.3

   Modes of HTTP/1.1:
     keep        nothing is odd
     close       closes after a response that did not say so
     extra       a tenth of a second after each response another one follows
     split       the same in one go, so that the end of it lies in TLS's own buffer
     ticket      a session ticket follows each response
     die         reads the second request on a connection, and closes
     done        the same, and has nothing any more of what is asked for on the next connection
     never       reads each request, and closes
     midway      closes after the head of the second request on a connection
     whole, cut  the response ends with the connection; over TLS with and without a good-bye
   Modes of HTTP/2; a stream's number is counted from 1:
     h2          nothing is odd
     h2_silent   never answers
     h2_never    resets the connection on each request
     h2_refuse N refuses the first N streams of all (REFUSED_STREAM); N may be "all"
     h2_used     refuses the second stream of the first connection
     h2_reset    resets the first stream of each connection with INTERNAL_ERROR, h2_cancel: CANCEL
     h2_late     answers with headers, and refuses the stream after that
     h2_below    waits for four streams on the first connection, answers two of them, and says by
                 GOAWAY that these were the last; a further stream there is ignored
     h2_above    says GOAWAY after the second request on the first connection, as if it had been
                 processed, and closes
     h2_drop     closes on the second request of a connection
     h2_garbage  answers with a frame that does not exist in this place
     h2_rapid    resets each stream at once, after a thousand frames that mean nothing
   It ends with the process that started it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *mode = "";
static SSL_CTX *context; /* NULL: no TLS */
static atomic_int connections, streams_to_refuse;

struct peer {
  int socket;
  SSL *ssl; /* NULL: no TLS */
};

static void tell(const char *what) {
  flockfile(stdout);
  puts(what);
  fflush(stdout);
  funlockfile(stdout);
}

static bool is_mode(const char *name) {
  return strcmp(mode, name) == 0;
}

/* Reads so many bytes. false: there are no more. */
static bool take(struct peer *peer, void *bytes, size_t length) {
  for (size_t got = 0; got < length;) {
    void *place = (char *)bytes + got;
    size_t wanted = length - got;
    int more = peer->ssl != NULL ? SSL_read(peer->ssl, place, (int)wanted)
                                 : (int)recv(peer->socket, place, wanted, 0);
    if (more <= 0) return false;
    got += (size_t)more;
  }
  return true;
}

/* Sends bytes, over TLS as one record. */
static void give(struct peer *peer, const void *bytes, size_t length) {
  if (peer->ssl != NULL)
    SSL_write(peer->ssl, bytes, (int)length);
  else if (write(peer->socket, bytes, length) < 0)
    return;
}

static void say(struct peer *peer, const char *words) {
  give(peer, words, strlen(words));
}

/* ======================================================================== */
/* HTTP/1.1                                                                 */
/* ======================================================================== */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define GONE "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
#define BODY "{\"value\":\"yours\"}"
#define EXTRA HEAD "Content-Length: 21\r\n\r\n{\"value\":\"not yours\"}"

/* Reads a request's head. false: it does not end. *length: its Content-Length. */
static bool read_head(struct peer *peer, size_t *length) {
  static const char name[] = "\r\nContent-Length: ";
  char head[16384];
  for (size_t i = 0; i + 1 < sizeof head && take(peer, head + i, 1); i++) {
    head[i + 1] = '\0';
    if (i < 3 || strcmp(head + i - 3, "\r\n\r\n") != 0) continue;
    const char *value = strcasestr(head, name);
    *length = value == NULL ? 0 : strtoul(value + sizeof name - 1, NULL, 10);
    return true;
  }
  return false;
}

static bool read_body(struct peer *peer, size_t length) {
  char byte;
  while (length > 0 && take(peer, &byte, 1)) length--;
  return length == 0;
}

/* What follows a response. false: the connection is over. */
static bool go_on(struct peer *peer) {
  if (is_mode("close")) return false;
  if (is_mode("extra")) {
    usleep(100000);
    say(peer, EXTRA);
    tell("extra");
  } else if (is_mode("ticket") && peer->ssl != NULL) {
    SSL_new_session_ticket(peer->ssl);
    SSL_do_handshake(peer->ssl);
    tell("ticket");
  }
  return true;
}

/* Whether it is the request that ends its connection without an answer. */
static bool is_last_of_two(int number) {
  return (is_mode("die") || is_mode("done")) && number == 2;
}

static void speak_in_turns(struct peer *peer) {
  size_t length;
  bool is_gone = is_mode("done") && connections > 1;
  for (int number = 1; read_head(peer, &length); number++) {
    if (is_mode("midway") && number == 2) return;
    if (!read_body(peer, length)) return;
    tell("request");
    if (is_mode("never") || is_last_of_two(number)) return;
    /* The end comes with the response: between the two nobody could know of it. */
    if (is_mode("close")) setsockopt(peer->socket, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
    if (is_mode("whole") || is_mode("cut")) {
      say(peer, HEAD "\r\n" BODY);
      return;
    }
    say(peer, is_gone ? GONE : HEAD);
    say(peer, "Content-Length: 17\r\n\r\n");
    say(peer, is_mode("split") ? BODY EXTRA : BODY);
    if (is_mode("split")) tell("extra");
    if (!go_on(peer)) return;
  }
}

/* ======================================================================== */
/* HTTP/2 (RFC 9113)                                                        */
/* ======================================================================== */

enum frame_type { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { NO_ERROR = 0, INTERNAL_ERROR = 2, REFUSED_STREAM = 7, CANCEL = 8 };

struct frame {
  size_t length;
  uint8_t type, flags;
  uint32_t stream;
  uint8_t payload[16384];
};

static void put_number(uint8_t *bytes, uint32_t number) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void send_frame(struct peer *peer, enum frame_type type, uint8_t flags, uint32_t stream,
                       const void *payload, size_t length) {
  uint8_t frame[9 + 64] = {(uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};
  frame[3] = (uint8_t)type;
  frame[4] = flags;
  put_number(frame + 5, stream);
  if (length > 0) memcpy(frame + 9, payload, length);
  give(peer, frame, 9 + length);
}

static void send_goaway(struct peer *peer, uint32_t last_stream) {
  uint8_t payload[8];
  put_number(payload, last_stream);
  put_number(payload + 4, NO_ERROR);
  send_frame(peer, GOAWAY, 0, 0, payload, sizeof payload);
}

static void reset(struct peer *peer, uint32_t stream, uint32_t error) {
  uint8_t payload[4];
  put_number(payload, error);
  send_frame(peer, RST_STREAM, 0, stream, payload, sizeof payload);
}

/* ":status: 200" of the static table, and "content-type: application/json". */
static void send_headers(struct peer *peer, uint32_t stream) {
  static const uint8_t status[] = {0x88, 0x0f, 0x10, 0x10};
  uint8_t block[20];
  memcpy(block, status, 4);
  memcpy(block + 4, "application/json", 16);
  send_frame(peer, HEADERS, END_HEADERS, stream, block, sizeof block);
}

/* How long a request's body was, which is told in the response. */
static _Thread_local size_t body_lengths[1024];

static void respond(struct peer *peer, uint32_t stream) {
  char body[64];
  int length = snprintf(body, sizeof body, "{\"value\":\"yours\",\"length\":%zu}",
                        body_lengths[stream % 1024]);
  send_headers(peer, stream);
  send_frame(peer, DATA, END_STREAM, stream, body, (size_t)length);
}

/* Reads the next frame. */
static bool read_frame(struct peer *peer, struct frame *frame) {
  uint8_t head[9];
  if (!take(peer, head, sizeof head)) return false;
  frame->length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
  frame->type = head[3];
  frame->flags = head[4];
  frame->stream =
      (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
  return frame->length <= sizeof frame->payload && take(peer, frame->payload, frame->length);
}

/* Deals with a whole request. number: of the connection's requests. false: the connection is over.
 */
static bool serve_stream(struct peer *peer, uint32_t stream, int number, bool is_first_connection) {
  tell("request");
  if (is_mode("h2_silent")) return true;
  if (is_mode("h2_never")) return false;
  if (is_mode("h2_refuse") && streams_to_refuse > 0) {
    streams_to_refuse--;
    reset(peer, stream, REFUSED_STREAM);
  } else if (is_mode("h2_used") && is_first_connection && number == 2) {
    reset(peer, stream, REFUSED_STREAM);
  } else if (is_mode("h2_reset") || is_mode("h2_cancel")) {
    if (number == 1)
      reset(peer, stream, is_mode("h2_reset") ? INTERNAL_ERROR : CANCEL);
    else
      respond(peer, stream);
  } else if (is_mode("h2_late")) {
    send_headers(peer, stream);
    reset(peer, stream, REFUSED_STREAM);
  } else if (is_mode("h2_below") && is_first_connection) {
    if (number != 4) return true;
    send_goaway(peer, 3);
    respond(peer, 1);
    respond(peer, 3);
  } else if (is_mode("h2_above") && is_first_connection && number == 2) {
    send_goaway(peer, stream);
    return false;
  } else if (is_mode("h2_drop") && number == 2) {
    return false;
  } else if (is_mode("h2_garbage")) {
    send_frame(peer, DATA, END_STREAM, 0, BODY, sizeof BODY - 1);
  } else if (is_mode("h2_rapid")) {
    for (int i = 0; i < 1000; i++) send_frame(peer, PING, 0, 0, "12345678", 8);
    reset(peer, stream, INTERNAL_ERROR);
  } else {
    respond(peer, stream);
  }
  return true;
}

static void speak_in_streams(struct peer *peer, bool is_first_connection) {
  char preface[24];
  struct frame frame;
  int number = 0;
  if (!take(peer, preface, sizeof preface)) return;
  send_frame(peer, SETTINGS, 0, 0, NULL, 0);
  while (read_frame(peer, &frame)) {
    bool is_of_request = frame.type == HEADERS || frame.type == DATA;
    if (frame.type == HEADERS) body_lengths[frame.stream % 1024] = 0;
    if (frame.type == DATA) body_lengths[frame.stream % 1024] += frame.length;
    if (frame.type == SETTINGS && (frame.flags & ACK) == 0)
      send_frame(peer, SETTINGS, ACK, 0, NULL, 0);
    if (is_of_request && (frame.flags & END_STREAM) != 0 &&
        !serve_stream(peer, frame.stream, ++number, is_first_connection))
      return;
  }
}

/* ======================================================================== */

static void say_goodbye(struct peer *peer) {
  if (peer->ssl != NULL && !is_mode("cut")) SSL_shutdown(peer->ssl);
  shutdown(peer->socket, SHUT_WR);
  if (is_mode("close")) tell("closed");
  /* With something unread a close would be a reset, which overtakes what was sent. */
  for (char byte; recv(peer->socket, &byte, 1, 0) > 0;) continue;
}

static void *serve(void *argument) {
  struct peer peer = {.socket = (int)(intptr_t)argument};
  bool is_first = atomic_fetch_add(&connections, 1) == 0;
  setsockopt(peer.socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  tell("connection");
  if (context != NULL) {
    peer.ssl = SSL_new(context);
    SSL_set_fd(peer.ssl, peer.socket);
  }
  if (peer.ssl == NULL || SSL_accept(peer.ssl) == 1) {
    if (strncmp(mode, "h2", 2) == 0)
      speak_in_streams(&peer, is_first);
    else
      speak_in_turns(&peer);
    if (is_mode("h2_never"))
      setsockopt(peer.socket, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                 sizeof(struct linger));
    else
      say_goodbye(&peer);
  }
  if (peer.ssl != NULL) SSL_free(peer.ssl);
  close(peer.socket);
  return NULL;
}

/* Chooses what the mode speaks, whatever else the client offers. */
static int choose(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                  const unsigned char *offered, unsigned offered_length, void *user) {
  static const unsigned char h2[] = "\2h2", http1[] = "\10http/1.1";
  const unsigned char *ours = strncmp(mode, "h2", 2) == 0 ? h2 : http1;
  (void)ssl, (void)user;
  return SSL_select_next_proto((unsigned char **)(uintptr_t)chosen, length, ours, 1U + ours[0],
                               offered, offered_length) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_tls_up(const char *certificate, const char *key) {
  context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return false;
  SSL_CTX_set_alpn_select_cb(context, choose, NULL);
  return SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

int main(int count, char **words) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  char *refusals = count > 1 ? strchr(words[1], ' ') : NULL;
  if (refusals != NULL) {
    *refusals = '\0';
    streams_to_refuse = strcmp(refusals + 1, "all") == 0 ? INT32_MAX : atoi(refusals + 1);
  }
  if (count < 2 || listener < 0 ||
      bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 256) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    return 2;
  mode = words[1];
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count > 3 && !set_tls_up(words[2], words[3])) return 2;
  printf("ready %d %d\n", (int)getpid(), ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    pthread_t thread;
    if (client >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
      pthread_detach(thread);
  }
}
