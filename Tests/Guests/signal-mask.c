// Abstract: blocked signals wait, real-time ones queue in order, and come when unblocked.
#include "guest.h"

static char order[64];
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  char t[16];
  snprintf(t, sizeof t, "%s%d ", sig == SIGUSR1 ? "u" : "r", i->si_value.sival_int);
  strcat(order, t);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigfillset(&a.sa_mask);
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGRTMIN + 1, &a, NULL);
  sigset_t s, old, pending;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigaddset(&s, SIGRTMIN + 1);
  show(sigprocmask(SIG_BLOCK, &s, &old));
  say("%d\n", sigismember(&old, SIGUSR1));
  for (int i = 1; i <= 3; i++) {
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = i});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  }
  show(sigpending(&pending));
  say("%d %d %d [%s]\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGUSR2), order);
  show(sigprocmask(SIG_SETMASK, &old, NULL));
  say("[%s]\n", order);
  sigfillset(&s);
  show(sigprocmask(SIG_BLOCK, &s, NULL));
  show(sigprocmask(SIG_BLOCK, NULL, &old));
  say("%d %d\n", sigismember(&old, SIGKILL), sigismember(&old, SIGSYS));
  show(sigprocmask(99, &s, NULL));
  done();
}
