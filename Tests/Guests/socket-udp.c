// Abstract: UDP over loopback: sendto, recvfrom, connect, MSG_TRUNC, refused port.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b = a, from;
  socklen_t n = sizeof a;
  char m[100] = "";
  int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
  check(bind(s, (void *)&a, n) == 0 && getsockname(s, (void *)&a, &n) == 0);
  check(bind(c, (void *)&b, n) == 0 && getsockname(c, (void *)&b, &n) == 0);
  show(sendto(c, "datagram", 8, 0, (void *)&a, sizeof a));
  n = sizeof from;
  show(recvfrom(s, m, sizeof m, 0, (void *)&from, &n));
  say("%s from %s, own port %d, %u bytes\n", m, inet_ntoa(from.sin_addr), from.sin_port == b.sin_port, n);
  show(sendto(s, "answer of twenty....", 20, 0, (void *)&from, n));
  show(recv(c, m, 6, MSG_TRUNC));
  show(recv(c, m, 6, MSG_DONTWAIT));
  show(connect(c, (void *)&a, sizeof a));
  show(send(c, "", 0, 0));
  show(recvfrom(s, m, sizeof m, 0, NULL, NULL));
  show(close(s));
  show(send(c, "x", 1, 0));
  show(send(c, "x", 1, 0));
  show(send(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0));
  done();
}
