// Abstract: an interval timer ticks through a loop of calls.
#include "guest.h"
#include <sys/time.h>

static volatile int ticks;
static void handler(int sig) { ticks += sig == SIGALRM; }

int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  struct itimerval v = {{0, 2000}, {0, 2000}}, now;
  show(setitimer(ITIMER_REAL, &v, NULL));
  int calls = 0;
  while (ticks < 20) calls += access(".", F_OK) == 0;
  show(getitimer(ITIMER_REAL, &now));
  say("%ld\n", now.it_interval.tv_usec);
  v = (struct itimerval){0};
  show(setitimer(ITIMER_REAL, &v, &now));
  int before = ticks;
  pause_ms(10);
  check(ticks == before && calls > 0);
  done();
}
