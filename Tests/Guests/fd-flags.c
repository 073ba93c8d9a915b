// Abstract: fcntl reads and sets status and descriptor flags.
#include "guest.h"

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  show(fcntl(fd, F_GETFD));
  show(fcntl(fd, F_SETFD, 0));
  show(fcntl(fd, F_GETFD));
  say("%#x\n", fcntl(fd, F_GETFL));
  show(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
  say("%#x\n", fcntl(fd, F_GETFL));
  int ro = open("f", O_RDONLY);
  show(write(ro, "x", 1));
  int wo = open("f", O_WRONLY);
  char c;
  show(read(wo, &c, 1));
  show(fcntl(99, F_GETFD));
  show(fcntl(fd, 9999, 0));
  show(fcntl(fd, F_GETOWN));
  int p[2];
  check(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
  say("%#x %d\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFD));
  show(fcntl(p[0], F_SETPIPE_SZ, 8192));
  show(fcntl(p[1], F_GETPIPE_SZ));
  done();
}
