// Abstract: twenty thousand mixed calls on pipes, files, sockets and clocks stay in step.
#include "guest.h"
#include <poll.h>
#include <sys/socket.h>

int main(void) {
  int p[2], s[2], fd = open("f", O_RDWR | O_CREAT, 0644);
  check(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  uint64_t x = 0x2545f4914f6cdd1dull, sum = 0;
  char b[512], c[512];
  for (int i = 0; i < 5000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    size_t n = 1 + x % 500;
    fill(b, n, x);
    switch (x >> 40 & 3) {
    case 0: check(write(p[1], b, n) == (ssize_t)n && read(p[0], c, n) == (ssize_t)n); break;
    case 1: check(send(s[0], b, n, 0) == (ssize_t)n && recv(s[1], c, n, 0) == (ssize_t)n); break;
    case 2:
      check(pwrite(fd, b, n, i * 10) == (ssize_t)n && pread(fd, c, n, i * 10) == (ssize_t)n);
      break;
    case 3: {
      struct pollfd f = {p[0], POLLIN, 0};
      check(poll(&f, 1, 0) == 0 && now_ns(CLOCK_MONOTONIC) > 0 && getpid() > 0);
      memcpy(c, b, n);
    }
    }
    check(!memcmp(b, c, n));
    sum = sum * 31 + hash(c, n);
  }
  say("%016lx\n", sum);
  done();
}
