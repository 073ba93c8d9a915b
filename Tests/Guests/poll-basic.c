// Abstract: poll and ppoll report readiness, hang-up, errors and time-outs.
#include "guest.h"
#include <poll.h>

int main(void) {
  int p[2], q[2];
  check(pipe(p) == 0 && pipe(q) == 0);
  struct pollfd v[4] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {99, POLLIN, 0}, {-1, POLLIN, 77}};
  show(poll(v, 4, 0));
  for (int i = 0; i < 4; i++) say("%#x ", v[i].revents);
  check(write(p[1], "x", 1) == 1);
  show(poll(v, 2, 1000));
  say("%#x %#x\n", v[0].revents, v[1].revents);
  close(p[1]);
  show(poll(v, 1, -1));
  say("%#x\n", v[0].revents);
  close(q[0]);
  v[0] = (struct pollfd){q[1], POLLOUT, 0};
  show(poll(v, 1, -1));
  say("%#x\n", v[0].revents);
  int64_t before = now_ns(CLOCK_MONOTONIC);
  show(poll(NULL, 0, 20));
  check(now_ns(CLOCK_MONOTONIC) - before >= 20000000);
  struct timespec t = {0, 10000000};
  sigset_t s;
  sigfillset(&s);
  before = now_ns(CLOCK_MONOTONIC);
  show(ppoll(NULL, 0, &t, &s));
  check(now_ns(CLOCK_MONOTONIC) - before >= 10000000);
  say("%ld\n", t.tv_nsec);
  show(poll((struct pollfd *)8, 1, 0));
  t.tv_nsec = -1;
  show(ppoll(NULL, 0, &t, NULL));
  done();
}
