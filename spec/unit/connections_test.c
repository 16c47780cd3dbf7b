/* Connections are found by their ends, and looked at without taking anything out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/connections.h"

#define IP "127.0.0.1"

/* A socket that listens on a loopback port of its own. */
static int listening(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 64), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
  *port = ntohs(address.sin_port);
  return listener;
}

static int connected(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int client = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
  return client;
}

static int own_port(int descriptor) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
  return ntohs(address.sin_port);
}

static void found_by_both_ends_as_long_as_it_is_open(void **state) {
  (void)state;
  struct connections connections = {0};
  int port, other_port, listener = listening(&port), other = listening(&other_port);
  int clients[40];
  for (size_t i = 0; i < 40; i++) {
    clients[i] = connected(i % 2 == 0 ? port : other_port);
    connections_add(&connections, clients[i]);
  }
  for (size_t i = 0; i < 40; i++) {
    int to = i % 2 == 0 ? port : other_port;
    struct connection_ends ends = {
        .local_ip = IP, .peer_ip = IP, .local_port = own_port(clients[i]), .peer_port = to};
    struct connection *found = connections_find(&connections, &ends);
    assert_non_null(found);
    assert_int_equal(found->descriptor, clients[i]);
    assert_false(found->is_in_turns);
    connection_release(found);
    /* the same port, but another peer */
    ends.peer_port = to == port ? other_port : port;
    assert_null(connections_find(&connections, &ends));
    ends.peer_port = to;
    ends.peer_ip = "127.0.0.2";
    assert_null(connections_find(&connections, &ends));
    ends.peer_ip = "::1";
    assert_null(connections_find(&connections, &ends));
  }
  /* What libcurl has nothing to say of. */
  assert_null(connections_find(
      &connections, &(struct connection_ends){
                        .local_ip = "", .peer_ip = "", .local_port = -1, .peer_port = port}));
  assert_null(connections_find(
      &connections,
      &(struct connection_ends){.local_port = own_port(clients[0]), .peer_port = port}));

  struct connection_ends ends = {
      .local_ip = IP, .peer_ip = IP, .local_port = own_port(clients[0]), .peer_port = port};
  struct connection *kept = connections_find(&connections, &ends);
  connections_remove(&connections, clients[0]);
  assert_int_equal(kept->descriptor, -1);
  assert_null(connections_find(&connections, &ends));
  /* Its number comes to another, which knows nothing of the first. */
  kept->is_in_turns = true;
  connections_add(&connections, clients[0]);
  struct connection *next = connections_find(&connections, &ends);
  assert_non_null(next);
  assert_false(next->is_in_turns);
  assert_int_equal(next->last_stream, UINT32_MAX);
  connection_release(next);
  connection_release(kept);
  connection_release(NULL);
  connections_remove(&connections, 999);

  for (size_t i = 0; i < 40; i++) close(clients[i]);
  close(listener);
  close(other);
  connections_free(&connections);
}

static void silent_until_something_comes(void **state) {
  (void)state;
  int port, listener = listening(&port), client = connected(port),
            server = accept(listener, NULL, NULL);
  struct connection connection = {.descriptor = client};
  char byte;
  assert_true(connection_is_silent(&connection));
  assert_int_equal(send(server, "x", 1, 0), 1);
  while (connection_is_silent(&connection)) usleep(1000);
  assert_false(connection_is_silent(&connection));
  assert_int_equal(recv(client, &byte, 1, 0), 1); /* it is still there */
  assert_true(connection_is_silent(&connection));
  close(server);
  while (connection_is_silent(&connection)) usleep(1000);
  close(client);
  assert_false(connection_is_silent(&connection)); /* no descriptor at all */
  close(listener);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(found_by_both_ends_as_long_as_it_is_open),
      cmocka_unit_test(silent_until_something_comes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
