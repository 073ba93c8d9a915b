// Abstract: timer_create, timer_settime, timer_gettime and timer_getoverrun with a signal.
#include "guest.h"

static volatile int ticks, value;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)sig, (void)c;
  ticks++;
  value = i->si_value.sival_int;
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &a, NULL);
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 78};
  show(timer_create(CLOCK_MONOTONIC, &e, &t));
  struct itimerspec s = {{0, 2000000}, {0, 5000000}}, now;
  show(timer_settime(t, 0, &s, NULL));
  while (ticks < 5) pause_ms(1);
  say("value %d\n", value);
  show(timer_gettime(t, &now));
  say("%ld\n", now.it_interval.tv_nsec);
  check(timer_getoverrun(t) >= 0);
  show(timer_delete(t));
  show(timer_delete(t));
  int before = ticks;
  pause_ms(10);
  check(ticks == before);
  done();
}
