// Abstract: children signal each other, with values.
// Protect: 0
#include "guest.h"

static volatile int got;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  got = sig == SIGRTMIN && i->si_code == SI_QUEUE ? i->si_value.sival_int : -1;
}
int main(void) {
  int p[2], q[2];
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigset_t s, before;
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &s, &before);
  sigaction(SIGRTMIN, &a, NULL);
  check(pipe(p) == 0 && pipe(q) == 0);
  pid_t one = fork();
  if (one == 0) {
    pid_t me = getpid(), other;
    check(write(p[1], &me, sizeof me) == sizeof me && read(q[0], &other, sizeof other) == sizeof other);
    for (int i = 1; i <= 20; i++) {
      check(sigqueue(other, SIGRTMIN, (union sigval){.sival_int = i}) == 0);
      while (got != i) sigsuspend(&before);
    }
    _exit(1);
  }
  pid_t two = fork();
  if (two == 0) {
    pid_t me = getpid(), other;
    check(read(p[0], &other, sizeof other) == sizeof other && write(q[1], &me, sizeof me) == sizeof me);
    for (int i = 1; i <= 20; i++) {
      while (got != i) sigsuspend(&before);
      check(sigqueue(other, SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    }
    _exit(2);
  }
  show_end("one", one);
  show_end("two", two);
  done();
}
