// Abstract: sigaltstack tells, refuses and is in use as natively.
#include "guest.h"

static char one[65536], two[65536];
static void handler(int s) {
  stack_t now, other = {.ss_sp = two, .ss_size = sizeof two};
  check(sigaltstack(NULL, &now) == 0);
  say("signal %d: flags %d, is it: %d\n", s, now.ss_flags, now.ss_sp == one);
  show(sigaltstack(&other, NULL));
}
int main(void) {
  stack_t s = {.ss_sp = one, .ss_size = sizeof one}, old;
  show(sigaltstack(NULL, &old));
  say("flags %d\n", old.ss_flags);
  show(sigaltstack(&s, &old));
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  s.ss_size = 100;
  show(sigaltstack(&s, NULL));
  s.ss_size = sizeof one, s.ss_flags = 77;
  show(sigaltstack(&s, NULL));
  show(sigaltstack((stack_t *)8, NULL));
  s.ss_flags = SS_DISABLE;
  show(sigaltstack(&s, &old));
  say("was %d %zu\n", old.ss_sp == one, old.ss_size);
  show(sigaltstack(NULL, &old));
  say("flags %d\n", old.ss_flags);
  done();
}
