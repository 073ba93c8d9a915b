// Abstract: select and pselect report readiness and time-outs, and change their sets.
#include "guest.h"
#include <sys/select.h>

int main(void) {
  int p[2];
  check(pipe(p) == 0);
  fd_set r, w;
  struct timeval t = {0, 0};
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_SET(p[0], &r), FD_SET(p[1], &w);
  show(select(10, &r, &w, NULL, &t));
  say("%d %d\n", FD_ISSET(p[0], &r), FD_ISSET(p[1], &w));
  check(write(p[1], "x", 1) == 1);
  FD_SET(p[0], &r);
  show(select(10, &r, NULL, NULL, NULL));
  say("%d\n", FD_ISSET(p[0], &r));
  FD_ZERO(&r);
  FD_SET(50, &r);
  show(select(60, &r, NULL, NULL, &t));
  FD_ZERO(&r);
  t = (struct timeval){0, 20000};
  int64_t before = now_ns(CLOCK_MONOTONIC);
  show(select(0, NULL, NULL, NULL, &t));
  check(now_ns(CLOCK_MONOTONIC) - before >= 20000000);
  say("left %ld\n", t.tv_sec * 1000000 + t.tv_usec);
  struct timespec s = {0, 10000000};
  before = now_ns(CLOCK_MONOTONIC);
  show(pselect(0, NULL, NULL, NULL, &s, NULL));
  check(now_ns(CLOCK_MONOTONIC) - before >= 10000000);
  say("left %ld\n", s.tv_nsec);
  show(select(-1, NULL, NULL, NULL, &t));
  t.tv_sec = -1;
  show(select(0, NULL, NULL, NULL, &t));
  done();
}
