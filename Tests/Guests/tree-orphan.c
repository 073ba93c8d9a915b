// Abstract: a child whose parent ends has another one.
// Protect: 0
#include "guest.h"

int main(void) {
  int p[2], q[2];
  char b = 0;
  check(pipe(p) == 0 && pipe(q) == 0);
  pid_t c = fork();
  if (c == 0) {
    pid_t me = getpid();
    if (fork() == 0) {
      check(getppid() == me);
      check(write(p[1], "r", 1) == 1 && read(q[0], &b, 1) == 1);
      say("other parent %d, still alive\n", getppid() != me);
      check(write(p[1], "d", 1) == 1);
      _exit(0);
    }
    check(read(p[0], &b, 1) == 1);
    _exit(4);
  }
  show_end("parent", c);
  check(write(q[1], "g", 1) == 1 && read(p[0], &b, 1) == 1);
  say("%c\n", b);
  done();
}
