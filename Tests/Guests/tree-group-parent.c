// Abstract: a parent moves its child to another group before that executes.
// Protect: 10000
#include "guest.h"

int main(void) {
  int p[2];
  char b;
  check(pipe(p) == 0);
  pid_t c = fork();
  if (c == 0) {
    check(read(p[0], &b, 1) == 1);
    say("own group %d\n", getpgrp() == getpid());
    _exit(0);
  }
  show(setpgid(c, c));
  show(getpgid(c) == c);
  check(write(p[1], "g", 1) == 1);
  show_end("child", c);
  show(setpgid(c, c));
  done();
}
