/* An HTTP proxy that knows CONNECT alone, for the specs: proxy PORT [user:password | stall | refuse].

   Whatever host a client asks for, it is connected to 127.0.0.1:PORT. With user:password, in Base64, a client must say the same by
   Proxy-Authorization and is answered 407 otherwise; `stall` never answers, `refuse` answers 403. It prints "ready PID PORT", then the
   head of each request, its lines joined by '|'; `stall` prints "connection" for each connection
   instead, as soon as it is there. It ends with the process that started it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in target = {.sin_family = AF_INET};
static const char *mode = "";

/* Reads a request's head, NUL-terminated. false: it does not end, or is too long. */
static bool read_head(int client, char *head, size_t size) {
  size_t length = 0;
  while (length + 1 < size) {
    if (read(client, head + length, 1) != 1) return false;
    head[++length] = '\0';
    if (length >= 4 && strcmp(head + length - 4, "\r\n\r\n") == 0) return true;
  }
  return false;
}

static void say(int client, const char *words) {
  if (write(client, words, strlen(words)) < 0) return;
}

/* Passes on what one end says to the other. false: it has said its last word. */
static bool pass_on(int from, int to) {
  char bytes[16384];
  ssize_t count = read(from, bytes, sizeof bytes);
  for (ssize_t sent = 0; sent < count;) {
    ssize_t more = write(to, bytes + sent, (size_t)(count - sent));
    if (more <= 0) return false;
    sent += more;
  }
  return count > 0;
}

static void relay(int client) {
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || connect(server, (struct sockaddr *)&target, sizeof target) != 0) {
    say(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
  } else {
    struct pollfd ends[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool goes_on = true;
    say(client, "HTTP/1.1 200 Connection established\r\n\r\n");
    while (goes_on && poll(ends, 2, -1) > 0) {
      if (ends[0].revents != 0) goes_on = pass_on(client, server);
      if (goes_on && ends[1].revents != 0) goes_on = pass_on(server, client);
    }
  }
  if (server >= 0) close(server);
}

static bool is_authorized(const char *authorization) {
  static const char scheme[] = "Basic ";
  return mode[0] == '\0' || (strncasecmp(authorization, scheme, sizeof scheme - 1) == 0 && strcmp(authorization + sizeof scheme - 1, mode) == 0);
}

static void *serve(void *argument) {
  static const char name[] = "\r\nProxy-Authorization: ";
  int client = (int)(intptr_t)argument;
  char head[16384], authorization[1024] = "";
  if (strcmp(mode, "stall") == 0) {
    puts("connection");
    fflush(stdout);
    pause();
  }
  if (read_head(client, head, sizeof head)) {
    const char *value = strcasestr(head, name);
    if (value != NULL) {
      value += sizeof name - 1;
      snprintf(authorization, sizeof authorization, "%.*s", (int)strcspn(value, "\r"), value);
    }
    for (char *c = head; *c != '\0'; c++)
      if (*c == '\r') *c = '|';
    flockfile(stdout);
    for (const char *c = head; *c != '\0'; c++)
      if (*c != '\n') putchar(*c);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    if (strcmp(mode, "refuse") == 0) say(client, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    else if (!is_authorized(authorization))
      say(client, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"spec\"\r\nContent-Length: 0\r\n\r\n");
    else if (strncmp(head, "CONNECT ", 8) != 0) say(client, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
    else relay(client);
  }
  close(client);
  return NULL;
}

int main(int count, char **words) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (count < 2 || listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  target.sin_port = htons((uint16_t)atoi(words[1]));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (count > 2) mode = words[2];
  printf("ready %d %d\n", (int)getpid(), ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    pthread_t thread;
    if (client >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0) pthread_detach(thread);
  }
}
