// Abstract: timerfd expires after its time, repeats, and can be disarmed.
#include "guest.h"
#include <poll.h>
#include <sys/timerfd.h>

int main(void) {
  uint64_t n = 0;
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec s = {{0, 0}, {0, 20000000}}, old;
  show(read(t, &n, 8));
  int64_t before = now_ns(CLOCK_MONOTONIC);
  show(timerfd_settime(t, 0, &s, NULL));
  struct pollfd p = {t, POLLIN, 0};
  show(poll(&p, 1, 5000));
  check(now_ns(CLOCK_MONOTONIC) - before >= 20000000);
  show(read(t, &n, 8));
  say("%lu\n", n);
  s = (struct itimerspec){{0, 5000000}, {0, 5000000}};
  show(timerfd_settime(t, 0, &s, &old));
  pause_ms(40);
  show(read(t, &n, 8));
  check(n >= 1);
  show(timerfd_gettime(t, &old));
  say("interval %ld\n", old.it_interval.tv_nsec);
  s = (struct itimerspec){0};
  show(timerfd_settime(t, 0, &s, NULL));
  pause_ms(10);
  show(read(t, &n, 8));
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  s.it_value = at;
  show(timerfd_settime(t, TFD_TIMER_ABSTIME, &s, NULL));
  show(fcntl(t, F_SETFL, 0));
  show(read(t, &n, 8));
  show(timerfd_create(99, 0));
  done();
}
