// Abstract: a TCP connection over loopback: accept, transfer, half close, names.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b, c;
  socklen_t n = sizeof a;
  char m[64] = "";
  int one = 1, s = socket(AF_INET, SOCK_STREAM, 0), k = socket(AF_INET, SOCK_STREAM, 0);
  show(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  show(bind(s, (void *)&a, sizeof a));
  show(getsockname(s, (void *)&a, &n));
  check(ntohs(a.sin_port) != 0);
  show(listen(s, 16));
  show(connect(k, (void *)&a, sizeof a));
  n = sizeof b;
  int d = accept(s, (void *)&b, &n);
  say("accepted %d, %u bytes, %s\n", d, n, inet_ntoa(b.sin_addr));
  show(getsockname(k, (void *)&c, &n));
  check(c.sin_port == b.sin_port);
  show(getpeername(k, (void *)&c, &n));
  check(c.sin_port == a.sin_port);
  show(setsockopt(k, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  int value = 0;
  n = sizeof value;
  show(getsockopt(k, IPPROTO_TCP, TCP_NODELAY, &value, &n));
  say("nodelay %d\n", value);
  show(send(k, "hello", 5, 0));
  show(recv(d, m, 5, MSG_WAITALL));
  say("%s\n", m);
  show(send(d, "HELLO there", 11, 0));
  show(recv(k, m, 5, MSG_PEEK));
  show(recv(k, m, 11, MSG_WAITALL));
  say("%s\n", m);
  show(shutdown(k, SHUT_WR));
  show(recv(d, m, 1, 0));
  show(send(d, "more", 4, 0));
  show(recv(k, m, 4, MSG_WAITALL));
  show(close(d));
  show(recv(k, m, 1, 0));
  show(shutdown(s, SHUT_RDWR));
  show(getpeername(s, (void *)&c, &n));
  done();
}
