// Abstract: a blocked timer's signal is there once, and says how often it would have come.
#include "guest.h"

int main(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN + 4);
  sigprocmask(SIG_BLOCK, &s, NULL);
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4, .sigev_value.sival_int = 9};
  show(timer_create(CLOCK_MONOTONIC, &e, &t));
  struct itimerspec v = {{0, 1000000}, {0, 1000000}};
  show(timer_settime(t, 0, &v, NULL));
  pause_ms(30);
  siginfo_t i;
  check(sigwaitinfo(&s, &i) == SIGRTMIN + 4);
  say("code %d value %d overrun %d\n", i.si_code, i.si_value.sival_int, i.si_overrun > 5);
  show(timer_delete(t));
  struct timespec now = {0, 0};
  while (sigtimedwait(&s, &i, &now) > 0) {}
  show(timer_delete(t));
  show(sigtimedwait(&s, &i, &now));
  done();
}
