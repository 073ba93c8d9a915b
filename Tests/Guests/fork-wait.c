// Abstract: forked children with waitpid, wait4, waitid: statuses, signals, usage, ECHILD.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    say("child of %d\n", getppid() > 1);
    exit(42);
  }
  show_end("first", c);
  c = fork();
  if (c == 0) raise(SIGKILL);
  show_end("second", c);
  c = fork();
  if (c == 0) _exit(1);
  siginfo_t i = {0};
  show(waitid(P_PID, c, &i, WEXITED | WNOWAIT));
  say("%d %d %d\n", i.si_code, i.si_status, i.si_pid == c);
  struct rusage r;
  int st;
  show(wait4(c, &st, 0, &r) == c);
  check(r.ru_maxrss > 0);
  show(wait(&st));
  int p[2];
  check(pipe(p) == 0);
  c = fork();
  if (c == 0) {
    char b;
    check(read(p[0], &b, 1) == 1);
    _exit(b);
  }
  show(waitpid(c, &st, WNOHANG));
  show(write(p[1], "\5", 1));
  show_end("fourth", c);
  done();
}
