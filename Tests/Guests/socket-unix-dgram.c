// Abstract: UNIX datagrams keep their bounds, carry the sender's name, and are cut with MSG_TRUNC.
#include "guest.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "a"}, b = {.sun_family = AF_UNIX, .sun_path = "b"}, from;
  socklen_t n = sizeof from;
  char m[64] = "";
  int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
  show(bind(s, (void *)&a, sizeof a));
  show(bind(c, (void *)&b, sizeof b));
  show(sendto(c, "datagram one", 12, 0, (void *)&a, sizeof a));
  show(sendto(c, "two", 3, 0, (void *)&a, sizeof a));
  show(sendto(c, "", 0, 0, (void *)&a, sizeof a));
  show(recvfrom(s, m, 4, MSG_PEEK | MSG_TRUNC, (void *)&from, &n));
  say("from %s (%u)\n", from.sun_path, n);
  n = sizeof from;
  show(recvfrom(s, m, 4, 0, (void *)&from, &n));
  say("%.4s\n", m);
  show(recv(s, m, sizeof m, 0));
  show(recv(s, m, sizeof m, 0));
  show(recv(s, m, sizeof m, MSG_DONTWAIT));
  show(sendto(c, "x", 1, 0, (void *)&b, offsetof(struct sockaddr_un, sun_path)));
  show(connect(c, (void *)&a, sizeof a));
  show(send(c, "connected", 9, 0));
  show(read(s, m, sizeof m));
  show(close(s));
  show(send(c, "x", 1, 0));
  done();
}
