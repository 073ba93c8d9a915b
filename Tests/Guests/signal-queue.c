// Abstract: real-time signals queue with their values, in order; standard ones are there once.
#include "guest.h"

static void handler(int s, siginfo_t *i, void *c) {
  (void)c;
  say("%s value %d code %d mine %d\n", s >= SIGRTMIN ? s == SIGRTMIN + 1 ? "first" : "second" : "usr1", i->si_value.sival_int,
      i->si_code, i->si_pid == getpid());
}
int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigaction(SIGRTMIN + 1, &a, NULL);
  sigaction(SIGRTMIN + 2, &a, NULL);
  sigaction(SIGUSR1, &a, NULL);
  sigprocmask(SIG_SETMASK, &all, NULL);
  for (int i = 0; i < 5; i++) {
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i});
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 20 + i});
  }
  sigprocmask(SIG_SETMASK, &none, NULL);
  raise(SIGRTMIN + 1);
  show(sigqueue(getpid(), 0, (union sigval){.sival_int = 0}));
  show(sigqueue(getpid(), 65, (union sigval){.sival_int = 0}));
  done();
}
