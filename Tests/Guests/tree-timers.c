// Abstract: timers of processor time and of timer_create in a child.
// Protect: 50
#include "guest.h"
#include <sys/time.h>

static volatile int hits;
static void handler(int sig) { hits += sig == SIGVTALRM || sig == SIGRTMIN + 1; }
int main(void) {
  pid_t c = fork();
  if (c == 0) {
    signal(SIGVTALRM, handler);
    signal(SIGRTMIN + 1, handler);
    struct itimerval v = {{0, 0}, {0, 20000}};
    check(setitimer(ITIMER_VIRTUAL, &v, NULL) == 0);
    for (volatile long k = 0; !hits; k++)
      if (k % 100000 == 0) getppid();
    say("virtual\n");
    timer_t t;
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    check(timer_create(CLOCK_MONOTONIC, &e, &t) == 0);
    struct itimerspec s = {{0, 0}, {0, 20000000}};
    check(timer_settime(t, 0, &s, NULL) == 0);
    while (hits < 2) pause_ms(5);
    show(timer_delete(t));
    _exit(0);
  }
  show_end("child", c);
  done();
}
