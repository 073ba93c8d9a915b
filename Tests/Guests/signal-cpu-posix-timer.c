// Abstract: timers of timer_create on the clocks of processor time, by all their names: they fire for who computes.
#include "guest.h"
#include <pthread.h>
#include <time.h>

static volatile int ticks, value, code;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)sig, (void)c;
  ticks++;
  value = i->si_value.sival_int;
  code = i->si_code;
}

static void try(const char *name, clockid_t clock, int number) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = number};
  struct itimerspec s = {{0, 3000000}, {0, 5000000}}, now;
  say("%s\n", name);
  show(timer_create(clock, &e, &t));
  ticks = 0;
  show(timer_settime(t, 0, &s, NULL));
  while (ticks < 3) {
  }
  say("value %d code %d\n", value, code);
  show(timer_gettime(t, &now));
  check(now.it_interval.tv_nsec == 3000000 && now.it_value.tv_nsec <= 3000000);
  check(timer_getoverrun(t) >= 0);
  s.it_value.tv_nsec = s.it_interval.tv_nsec = 0;
  show(timer_settime(t, 0, &s, NULL)); // disarmed
  show(timer_gettime(t, &now));
  say("%ld %ld\n", now.it_value.tv_nsec, now.it_interval.tv_nsec);
  // To a time on the clock itself that is past.
  ticks = 0;
  s.it_value.tv_nsec = 1;
  show(timer_settime(t, TIMER_ABSTIME, &s, NULL));
  while (!ticks) {
  }
  show(timer_delete(t));
  show(timer_delete(t));
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &a, NULL);
  clockid_t mine, own;
  try("process", CLOCK_PROCESS_CPUTIME_ID, 7);
  try("thread", CLOCK_THREAD_CPUTIME_ID, 8);
  show(clock_getcpuclockid(getpid(), &own));
  try("process by pid", own, 9);
  show(pthread_getcpuclockid(pthread_self(), &mine));
  try("thread by id", mine, 10);
  struct timespec one, two;
  check(clock_gettime(mine, &one) == 0 && clock_gettime(own, &two) == 0);
  check(two.tv_sec > one.tv_sec || two.tv_nsec > one.tv_nsec / 2);
  // One that only counts.
  timer_t t;
  struct sigevent none = {.sigev_notify = SIGEV_NONE};
  struct itimerspec s = {{0, 0}, {100, 0}};
  show(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &t));
  show(timer_settime(t, 0, &s, NULL));
  show(timer_gettime(t, &s));
  check(s.it_value.tv_sec == 99 || s.it_value.tv_sec == 100);
  show(timer_delete(t));
  struct sigevent bad = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 77};
  show(timer_create(CLOCK_PROCESS_CPUTIME_ID, &bad, &t));
  done();
}
