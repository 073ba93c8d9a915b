// Abstract: socket options read back as set, and their errors.
#include "guest.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

static void option(int fd, const char *name, int level, int which) {
  int v[4] = {-1, -1, -1, -1};
  socklen_t n = sizeof v;
  int r = getsockopt(fd, level, which, v, &n);
  say("%s = %d, %u bytes: %d\n", name, r, r ? 0 : n, r ? 0 : v[0]);
}
#define OPTION(fd, level, which) option(fd, #which, level, which)

int main(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0), v = 1;
  show(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v));
  OPTION(s, SOL_SOCKET, SO_KEEPALIVE);
  v = 20000;
  show(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof v));
  OPTION(s, SOL_SOCKET, SO_RCVBUF);
  struct linger l = {1, 7};
  show(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
  OPTION(s, SOL_SOCKET, SO_LINGER);
  struct timeval t = {3, 0};
  show(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  OPTION(s, SOL_SOCKET, SO_RCVTIMEO);
  OPTION(s, SOL_SOCKET, SO_TYPE);
  OPTION(s, SOL_SOCKET, SO_DOMAIN);
  OPTION(s, SOL_SOCKET, SO_PROTOCOL);
  OPTION(s, SOL_SOCKET, SO_ACCEPTCONN);
  OPTION(s, SOL_SOCKET, SO_ERROR);
  v = 33;
  show(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof v));
  OPTION(s, IPPROTO_TCP, TCP_KEEPIDLE);
  show(setsockopt(s, IPPROTO_TCP, 9999, &v, sizeof v));
  show(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, 1));
  show(setsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v));
  show(setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v));
  socklen_t n = 2;
  v = 0;
  show(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n));
  say("%u bytes: %d\n", n, v);
  done();
}
