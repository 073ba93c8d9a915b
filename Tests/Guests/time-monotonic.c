// Abstract: no clock goes back over 20,000 readings, and the clocks agree with each other.
#include "guest.h"
#include <sys/time.h>

int main(void) {
  clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_REALTIME,
                        CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  for (unsigned k = 0; k < sizeof clocks / sizeof *clocks; k++) {
    int64_t last = 0;
    for (int i = 0; i < 3000; i++) {
      int64_t t = now_ns(clocks[k]);
      check(t >= last);
      last = t;
    }
    check(last > 0);
  }
  int64_t a = now_ns(CLOCK_REALTIME);
  struct timeval v;
  check(gettimeofday(&v, NULL) == 0);
  int64_t b = (int64_t)v.tv_sec * 1000000000 + v.tv_usec * 1000;
  int64_t c = now_ns(CLOCK_REALTIME);
  check(b >= a - 1000 && b <= c);
  time_t t = time(NULL), u;
  check(t >= c / 1000000000 - 1 && t <= c / 1000000000 + 1);
  check(time(&u) == u && u >= t);
  struct timespec ts;
  check(timespec_get(&ts, TIME_UTC) == TIME_UTC && ts.tv_sec >= t);
  struct timespec resolution;
  show(clock_getres(CLOCK_MONOTONIC, &resolution));
  say("%ld ns\n", resolution.tv_nsec);
  show(clock_gettime(12345, &ts));
  show(clock_getres(12345, &ts));
  done();
}
