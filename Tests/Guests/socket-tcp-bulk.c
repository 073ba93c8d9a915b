// Abstract: 4 MB through a TCP connection with non-blocking ends and poll; nothing lost or doubled.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

int main(void) {
  enum { SIZE = 4 << 20 };
  static char data[SIZE], back[SIZE];
  fill(data, SIZE, 21);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  check(bind(s, (void *)&a, n) == 0 && listen(s, 1) == 0 && getsockname(s, (void *)&a, &n) == 0);
  check(connect(c, (void *)&a, n) == 0);
  int d = accept4(s, NULL, NULL, SOCK_NONBLOCK);
  check(d >= 0 && fcntl(c, F_SETFL, O_NONBLOCK) == 0);
  long sent = 0, got = 0;
  while (got < SIZE) {
    struct pollfd p[2] = {{c, sent < SIZE ? POLLOUT : 0, 0}, {d, POLLIN, 0}};
    check(poll(p, 2, 5000) > 0);
    if (p[0].revents & POLLOUT) {
      ssize_t w = send(c, data + sent, SIZE - sent > 100000 ? 100000 : SIZE - sent, 0);
      check(w > 0 || errno == EAGAIN);
      if (w > 0) sent += w;
    }
    if (p[1].revents & POLLIN) {
      ssize_t r = recv(d, back + got, SIZE - got, 0);
      check(r > 0 || errno == EAGAIN);
      if (r > 0) got += r;
    }
  }
  say("%ld sent, %ld received\n", sent, got);
  check(!memcmp(data, back, SIZE));
  show(recv(d, back, 1, 0));
  done();
}
