// Abstract: a child is told of the death of its parent.
// Protect: 0
#include "guest.h"
#include <sys/prctl.h>

static volatile int told;
static void handler(int sig) { told = sig; }
int main(void) {
  int p[2], q[2], r[2];
  char b;
  check(pipe(p) == 0 && pipe(q) == 0 && pipe(r) == 0);
  pid_t c = fork();
  if (c == 0) {
    if (fork() == 0) {
      int sig = 0;
      sigset_t s, before;
      sigemptyset(&s);
      sigaddset(&s, SIGUSR1);
      sigprocmask(SIG_BLOCK, &s, &before);
      signal(SIGUSR1, handler);
      check(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &sig) == 0);
      say("set to %d\n", sig == SIGUSR1);
      check(write(p[1], "r", 1) == 1);
      while (!told) sigsuspend(&before);
      check(read(r[0], &b, 1) == 1);
      say("told %d\n", told == SIGUSR1);
      check(write(q[1], "d", 1) == 1);
      _exit(0);
    }
    check(read(p[0], &b, 1) == 1);
    _exit(3);
  }
  show_end("parent", c);
  check(write(r[1], "g", 1) == 1);
  show(read(q[0], &b, 1));
  done();
}
