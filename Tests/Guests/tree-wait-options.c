// Abstract: the wait family with its options, between sets.
// Protect: 0
#include "guest.h"

int main(void) {
  pid_t middle = fork();
  if (middle == 0) {
    int p[2], st;
    char b;
    check(pipe(p) == 0);
    pid_t c = fork();
    if (c == 0) {
      check(read(p[0], &b, 1) == 1);
      _exit(b);
    }
    siginfo_t i;
    show(waitpid(-1, &st, WNOHANG));
    memset(&i, 0, sizeof i);
    show(waitid(P_ALL, 0, &i, WEXITED | WNOHANG));
    show(i.si_pid);
    check(write(p[1], "\7", 1) == 1);
    show(waitid(P_PID, c, &i, WEXITED | WNOWAIT));
    say("%d %d %d\n", i.si_code == CLD_EXITED, i.si_status, i.si_pid == c);
    show(waitid(P_PGID, getpgrp(), &i, WEXITED | WNOWAIT));
    say("%d\n", i.si_status);
    show(waitpid(-getpgrp(), &st, __WALL) == c);
    say("%d\n", WEXITSTATUS(st));
    show(waitpid(c, &st, 0));
    show(waitid(P_PID, c, &i, WEXITED));
    show(waitpid(-1, &st, 0x1000));
    show(waitid(P_ALL, 0, &i, WNOHANG));
    _exit(0);
  }
  show_end("middle", middle);
  done();
}
