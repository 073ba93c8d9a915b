// Abstract: threads in accept, connect, recv, send and recvmsg on TCP and UNIX sockets serve one another.
#include "thread.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_in where = {.sin_family = AF_INET};
static int listener;
static sem_t ready;
enum { CLIENTS = 8, BYTES = 200000 };

static void *serve(void *arg) {
  int s = (int)(long)arg;
  char b[4096];
  ssize_t n;
  while ((n = recv(s, b, sizeof b, 0)) > 0)
    for (ssize_t sent = 0; sent < n;) {
      ssize_t k = send(s, b + sent, n - sent, 0);
      check(k > 0);
      sent += k;
    }
  check(n == 0 && close(s) == 0);
  return NULL;
}
static void *accepts(void *arg) {
  pthread_t t[CLIENTS];
  up(&ready);
  for (int i = 0; i < CLIENTS; i++) {
    int s = accept(listener, NULL, NULL);
    check(s >= 0);
    t[i] = start(serve, (void *)(long)s);
  }
  for (int i = 0; i < CLIENTS; i++) end(t[i]);
  return arg;
}
static void *sends(void *arg) {
  int s = (int)(long)arg;
  char *b = malloc(BYTES);
  fill(b, BYTES, 3);
  check(send(s, b, BYTES, 0) == BYTES);
  check(shutdown(s, SHUT_WR) == 0);
  free(b);
  return NULL;
}
static void *client(void *arg) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  char *b = malloc(BYTES);
  long n = 0;
  check(connect(s, (void *)&where, sizeof where) == 0);
  pthread_t t = start(sends, (void *)(long)s);
  for (ssize_t k; (k = recv(s, b + n, BYTES - n, 0)) > 0;) n += k;
  end(t);
  uint64_t h = hash(b, BYTES);
  fill(b, BYTES, 3);
  check(h == hash(b, BYTES) && close(s) == 0 && arg == NULL);
  free(b);
  return (void *)n;
}
static int pair[2];
static void *receives(void *arg) {
  char b[100];
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  up(&ready);
  long n = recvmsg(pair[0], &m, 0);
  return (void *)n + 0 * (arg != NULL);
}

int main(void) {
  pthread_t t[CLIENTS];
  socklen_t len = sizeof where;
  long sum = 0;
  sem_init(&ready, 0, 0);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  check(bind(listener, (void *)&where, len) == 0 && listen(listener, 16) == 0);
  check(getsockname(listener, (void *)&where, &len) == 0);
  pthread_t a = start(accepts, NULL);
  down(&ready);
  let_them_block();
  for (int i = 0; i < CLIENTS; i++) t[i] = start(client, NULL);
  for (int i = 0; i < CLIENTS; i++) sum += end(t[i]);
  end(a);
  say("%ld\n", sum);
  check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
  t[0] = start(receives, NULL), t[1] = start(receives, NULL);
  down(&ready), down(&ready);
  let_them_block();
  check(send(pair[1], "12345", 5, 0) == 5 && send(pair[1], "12345", 5, 0) == 5);
  say("%ld\n", end(t[0]) + end(t[1]));
  t[0] = start(receives, NULL);
  down(&ready);
  let_them_block();
  check(shutdown(pair[1], SHUT_WR) == 0); // wakes who reads
  say("%ld\n", end(t[0]));
  done();
}
