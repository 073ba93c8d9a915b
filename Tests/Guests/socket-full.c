// Abstract: a non-blocking stream takes 1 MB in parts while its peer drains it.
#include "guest.h"
#include <sys/socket.h>

int main(void) {
  enum { SIZE = 1 << 20 };
  static char data[SIZE], back[SIZE];
  fill(data, SIZE, 31);
  int p[2], again = 0;
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
  long sent = 0, got = 0;
  while (got < SIZE) {
    if (sent < SIZE) {
      ssize_t w = write(p[0], data + sent, SIZE - sent);
      check(w > 0 || errno == EAGAIN);
      if (w > 0) sent += w;
      else again++;
    }
    ssize_t r = read(p[1], back + got, 10000);
    check(r > 0);
    got += r;
  }
  check(!memcmp(data, back, SIZE));
  show(read(p[1], back, 1));
  say("%ld sent, %ld received, refused at times: %d\n", sent, got, again > 0);
  done();
}
