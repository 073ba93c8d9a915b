// Abstract: a timer that a child has set goes on when it becomes a set.
// Protect: 20
#include "guest.h"
#include <sys/time.h>

static volatile int hits;
static void handler(int sig) { hits += sig == SIGALRM; }
int main(void) {
  pid_t c = fork();
  if (c == 0) {
    signal(SIGALRM, handler);
    struct itimerval v = {{0, 40000}, {0, 80000}}, now;
    check(setitimer(ITIMER_REAL, &v, NULL) == 0);
    for (int i = 1; i < 5; i++)
      while (hits < i) pause();
    check(getitimer(ITIMER_REAL, &now) == 0);
    say("every 40 ms %d, left %d\n", now.it_interval.tv_usec == 40000, now.it_value.tv_usec <= 40000);
    v = (struct itimerval){0};
    check(setitimer(ITIMER_REAL, &v, NULL) == 0);
    show(alarm(30));
    show(alarm(0) >= 29);
    _exit(0);
  }
  show_end("child", c);
  done();
}
