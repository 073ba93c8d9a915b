// Abstract: timer_getoverrun tells of the signal that was taken last, not of what the timer has done since.
#include "guest.h"

int main(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN + 4);
  sigprocmask(SIG_BLOCK, &s, NULL);
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4, .sigev_value.sival_int = 9};
  show(timer_create(CLOCK_MONOTONIC, &e, &t));
  show(timer_getoverrun(t));
  struct itimerspec v = {{0, 1000000}, {0, 1000000}};
  show(timer_settime(t, 0, &v, NULL));
  for (int k = 0; k < 20; k++) {
    siginfo_t i;
    pause_ms(k % 4);
    check(sigwaitinfo(&s, &i) == SIGRTMIN + 4);
    pause_ms(5); // it goes on meanwhile
    check(timer_getoverrun(t) == i.si_overrun);
  }
  show(timer_settime(t, 0, &v, NULL));
  show(timer_getoverrun(t));
  show(timer_delete(t));
  show(timer_getoverrun(t));
  done();
}
