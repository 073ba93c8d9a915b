// Abstract: nanosleep, clock_nanosleep, usleep and sleep last at least as long as asked.
#include "guest.h"

static int64_t before;
static void start(void) { before = now_ns(CLOCK_MONOTONIC); }
static void lasted(int64_t ns) { check(now_ns(CLOCK_MONOTONIC) - before >= ns); }

int main(void) {
  struct timespec t = {0, 15000000}, at;
  start();
  show(nanosleep(&t, NULL));
  lasted(15000000);
  start();
  show(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
  lasted(15000000);
  start();
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_nsec += 20000000;
  if (at.tv_nsec >= 1000000000) at.tv_nsec -= 1000000000, at.tv_sec++;
  show(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
  lasted(20000000);
  start();
  show(usleep(5000));
  lasted(5000000);
  show(sleep(0));
  t.tv_nsec = 1000000000;
  show(nanosleep(&t, NULL));
  show(clock_nanosleep(99, 0, &t, NULL));
  t = (struct timespec){-1, 0};
  show(nanosleep(&t, NULL));
  done();
}
