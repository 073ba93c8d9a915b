// Abstract: a timer interrupts a loop without any call (a spinning program sees its signal).
#include "guest.h"
#include <sys/time.h>

static volatile int done_flag;
static void handler(int sig) { done_flag = sig; }

int main(void) {
  signal(SIGALRM, handler);
  struct itimerval v = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &v, NULL);
  while (!done_flag) {
  }
  say("%d\n", done_flag);
  signal(SIGPROF, handler);
  setitimer(ITIMER_PROF, &v, NULL);
  done_flag = 0;
  while (!done_flag) {
  }
  say("%d\n", done_flag);
  done();
}
