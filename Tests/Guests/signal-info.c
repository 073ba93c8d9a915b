// Abstract: SA_SIGINFO gets number, code, value and sender.
#include "guest.h"

static void handler(int sig, siginfo_t *i, void *context) {
  check(context && sig == i->si_signo);
  say("%d code %d value %d me %d\n", sig, i->si_code, i->si_value.sival_int, i->si_pid == getpid());
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGRTMIN, &a, NULL);
  show(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 12}));
  show(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 34}));
  done();
}
