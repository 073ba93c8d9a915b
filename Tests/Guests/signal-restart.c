// Abstract: SA_RESTART takes an interrupted read up again; poll is interrupted all the same.
#include "guest.h"
#include <poll.h>
#include <sys/time.h>

static volatile int hits, out;
static void handler(int sig) {
  hits += sig == SIGALRM;
  if (hits == 3) check(write(out, "x", 1) == 1);
}

int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  int p[2];
  char c = 0;
  check(pipe(p) == 0);
  out = p[1];
  struct itimerval v = {{0, 10000}, {0, 10000}};
  setitimer(ITIMER_REAL, &v, NULL);
  show(read(p[0], &c, 1));
  say("%c after %d\n", c, hits >= 3);
  struct pollfd f = {p[0], POLLIN, 0};
  show(poll(&f, 1, -1));
  v = (struct itimerval){0};
  setitimer(ITIMER_REAL, &v, NULL);
  done();
}
