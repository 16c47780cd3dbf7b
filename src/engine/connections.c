#include "connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An address of the Internet in one of its two forms. */
union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  struct sockaddr_storage room;
};

enum which_end { OWN_END, PEERS_END };

/* Gives the port of one end of a socket, or 0; ip has room for INET6_ADDRSTRLEN. */
static int end_of(int descriptor, enum which_end which, char *ip) {
  union address address = {0};
  socklen_t length = sizeof address;
  int failure = which == OWN_END ? getsockname(descriptor, &address.any, &length)
                                 : getpeername(descriptor, &address.any, &length);
  if (failure != 0) return 0;
  switch (address.any.sa_family) {
    case AF_INET:
      return inet_ntop(AF_INET, &address.four.sin_addr, ip, INET6_ADDRSTRLEN) == NULL
                 ? 0
                 : ntohs(address.four.sin_port);
    case AF_INET6:
      return inet_ntop(AF_INET6, &address.six.sin6_addr, ip, INET6_ADDRSTRLEN) == NULL
                 ? 0
                 : ntohs(address.six.sin6_port);
    default: return 0;
  }
}

void connection_release(struct connection *connection) {
  if (connection != NULL && --connection->references == 0) free(connection);
}

/* Makes room for one more. false: no memory. */
static bool make_room(struct connections *connections) {
  if (connections->count < connections->capacity) return true;
  size_t capacity = connections->capacity == 0 ? 16 : 2 * connections->capacity;
  struct connection **longer = realloc(connections->open, capacity * sizeof(struct connection *));
  if (longer == NULL) return false;
  connections->open = longer;
  connections->capacity = capacity;
  return true;
}

void connections_add(struct connections *connections, int descriptor) {
  connections_remove(connections, descriptor); /* one that was closed behind our back */
  struct connection *connection = malloc(sizeof *connection);
  if (connection == NULL || !make_room(connections)) {
    free(connection);
    return;
  }
  *connection =
      (struct connection){.references = 1, .descriptor = descriptor, .last_stream = UINT32_MAX};
  connections->open[connections->count++] = connection;
}

void connections_remove(struct connections *connections, int descriptor) {
  for (size_t i = 0; i < connections->count; i++) {
    struct connection *connection = connections->open[i];
    if (connection->descriptor != descriptor) continue;
    connections->open[i] = connections->open[--connections->count];
    connection->descriptor = -1;
    connection_release(connection);
    return;
  }
}

/* Whether both ends are those: a port alone may belong to several connections with different peers.
 */
static bool is_between(int descriptor, const struct connection_ends *ends) {
  char ip[INET6_ADDRSTRLEN];
  if (end_of(descriptor, PEERS_END, ip) != ends->peer_port || strcmp(ip, ends->peer_ip) != 0)
    return false;
  return end_of(descriptor, OWN_END, ip) == ends->local_port && strcmp(ip, ends->local_ip) == 0;
}

struct connection *connections_find(struct connections *connections,
                                    const struct connection_ends *ends) {
  char ip[INET6_ADDRSTRLEN];
  if (ends->local_port <= 0 || ends->local_ip == NULL || ends->peer_ip == NULL) return NULL;
  for (size_t i = 0; i < connections->count; i++) {
    struct connection *connection = connections->open[i];
    if (connection->local_port == 0)
      connection->local_port = end_of(connection->descriptor, OWN_END, ip);
    if (connection->local_port != ends->local_port || !is_between(connection->descriptor, ends))
      continue;
    connection->references++;
    return connection;
  }
  return NULL;
}

bool connection_is_silent(const struct connection *connection) {
  char byte;
  ssize_t got;
  do got = recv(connection->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Makes a connection's socket: not for the programs that the process runs, and none of the
   descriptors of standard input, output and error, even where these are closed: what is printed
   must not go to a server. */
static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
#if defined SOCK_CLOEXEC && !defined UIPATH_PORTABLE
  int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
  int descriptor = socket(address->family, address->socktype, address->protocol);
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
#endif
  if (descriptor >= 0 && descriptor <= STDERR_FILENO) {
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(descriptor);
    descriptor = moved;
  }
  if (descriptor >= 0) connections_add(user, descriptor);
  return descriptor;
}

static int on_close(void *user, curl_socket_t descriptor) {
  connections_remove(user, descriptor);
  return close(descriptor);
}

void connections_note(struct connections *connections, CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, connections);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, connections);
}

void connections_free(struct connections *connections) {
  for (size_t i = 0; i < connections->count; i++) connection_release(connections->open[i]);
  free(connections->open);
  *connections = (struct connections){0};
}
