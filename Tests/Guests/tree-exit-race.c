// Abstract: children that end at once, by every way of waiting.
// Protect: 0
#include "guest.h"
#include <sched.h>

static volatile int hits;
static void handler(int sig) { hits += sig == SIGCHLD; }
int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGCHLD, &a, NULL);
  int ended = 0, st;
  for (int i = 0; i < 60; i++) {
    pid_t c = fork();
    if (c == 0) {
      if (i % 3 == 0) getppid();
      if (i % 4 == 0) kill(getpid(), SIGKILL);
      _exit(i);
    }
    if (i % 5 == 0) {
      while (waitpid(c, &st, WNOHANG) == 0) sched_yield();
      ended++;
    } else if (i % 5 == 1) {
      siginfo_t s;
      check(waitid(P_PID, c, &s, WEXITED) == 0 && s.si_pid == c);
      ended++;
    } else {
      check(waitpid(-1, &st, 0) == c);
      ended++;
    }
  }
  say("%d, told %d\n", ended, hits > 0 && hits <= 60);
  show(wait(&st));
  done();
}
