// Abstract: a child that stops and goes on is seen to do so.
// Protect: 0
#include "guest.h"

int main(void) {
  int st, p[2];
  char b;
  siginfo_t i;
  check(pipe(p) == 0);
  pid_t c = fork();
  if (c == 0) {
    raise(SIGSTOP);
    check(read(p[0], &b, 1) == 1);
    raise(SIGSTOP);
    _exit(8);
  }
  show(waitpid(c, &st, WUNTRACED) == c);
  say("stopped %d by %d\n", WIFSTOPPED(st), WSTOPSIG(st) == SIGSTOP);
  show(waitpid(c, &st, WUNTRACED | WNOHANG));
  show(kill(c, SIGCONT));
  show(waitid(P_PID, c, &i, WCONTINUED));
  say("goes on %d\n", i.si_code == CLD_CONTINUED);
  check(write(p[1], "g", 1) == 1);
  show(waitid(P_PID, c, &i, WSTOPPED | WNOWAIT));
  show(waitid(P_PID, c, &i, WSTOPPED));
  say("stopped %d by %d\n", i.si_code == CLD_STOPPED, i.si_status == SIGSTOP);
  show(kill(c, SIGCONT));
  while (waitpid(c, &st, WCONTINUED) == c && WIFCONTINUED(st)) {
  }
  say("exit %d\n", WEXITSTATUS(st));
  done();
}
