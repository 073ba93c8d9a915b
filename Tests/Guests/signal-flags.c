// Abstract: SA_SIGINFO, SA_RESETHAND, SA_NODEFER, SA_ONSTACK and sa_mask do what they say.
#include "guest.h"

static char stack[65536];
static volatile int depth, raised;
static void plain(int s) { say("plain %d\n", s); }
static void nested(int s) {
  depth++;
  say("in %d at depth %d\n", s, depth);
  if (raised++ < 2) raise(s);
  say("out of %d at depth %d\n", s, depth);
  depth--;
}
static void where(int s, siginfo_t *i, void *context) {
  char here;
  say("signal %d code %d on the alternate stack: %d, context: %d\n", s, i->si_code,
      &here >= stack && &here < stack + sizeof stack, context != NULL);
}
static void masked(int s) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  say("in %d: USR1 %d USR2 %d TERM %d\n", s, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2), sigismember(&now, SIGTERM));
  if (s == SIGUSR1) raise(SIGUSR2);
  say("out of %d\n", s);
}
int main(void) {
  struct sigaction a = {.sa_handler = plain, .sa_flags = SA_RESETHAND}, old;
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  sigaction(SIGUSR1, NULL, &old);
  say("default again: %d, flags kept: %d\n", old.sa_handler == SIG_DFL, (old.sa_flags & (int)SA_RESETHAND) != 0);
  a = (struct sigaction){.sa_handler = nested, .sa_flags = SA_NODEFER};
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  a.sa_flags = 0;
  raised = 0;
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
  check(sigaltstack(&s, NULL) == 0);
  a = (struct sigaction){.sa_sigaction = where, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  a.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  a = (struct sigaction){.sa_handler = masked};
  sigaddset(&a.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGUSR2, &a, NULL);
  raise(SIGUSR1);
  show(sigaction(SIGKILL, &a, NULL));
  show(sigaction(SIGSTOP, &a, NULL));
  show(sigaction(0, &a, NULL));
  show(sigaction(65, &a, NULL));
  show(sigaction(SIGKILL, NULL, &old));
  done();
}
