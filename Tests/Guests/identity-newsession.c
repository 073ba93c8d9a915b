// Abstract: setsid and setpgid do what they do natively for a child and for ourselves.
#include "guest.h"

int main(void) {
  show(setsid() == getpid() || errno == EPERM);
  show(getsid(0) == getpid());
  show(setpgid(0, 0) == 0 || errno == EPERM);
  pid_t c = fork();
  if (c == 0) {
    show(getpgrp() == getppid());
    show(setsid() == getpid());
    show(getsid(0) == getpid());
    show(getpgrp() == getpid());
    show(setpgid(0, 0));
    _exit(0);
  }
  show_end("child", c);
  done();
}
