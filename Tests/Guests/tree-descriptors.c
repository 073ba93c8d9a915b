// Abstract: a child that becomes a set has the descriptors that it had, and the next one is the lowest.
// Protect: 20
#include "guest.h"

int main(void) {
  int p[2];
  check(pipe2(p, O_CLOEXEC) == 0);
  check(dup2(1, 300) == 300);
  pid_t c = fork();
  if (c == 0) {
    close(p[0]);
    for (int i = 0; i < 3; i++) {
      int n = 0, first = open("/dev/null", O_RDONLY);
      for (int fd = 0; fd < 400; fd++) n += fcntl(fd, F_GETFD) >= 0;
      say("%d open, lowest free was %d, flags %d\n", n, first, fcntl(p[1], F_GETFD));
      close(first);
      pause_ms(30);
    }
    close(0);
    say("closed, then %d\n", open("/dev/null", O_RDONLY));
    _exit(0);
  }
  close(p[1]);
  char b;
  show(read(p[0], &b, 1));
  show_end("child", c);
  done();
}
