// Abstract: threads sleep for different times, by all calls there are; none comes back early.
#include "thread.h"
#include <sys/select.h>

static atomic_int awake;
static void *sleeps(void *arg) {
  long me = (long)arg, ms = 10 + me * 12;
  int64_t before = now_ns(CLOCK_MONOTONIC);
  struct timespec t = {0, ms * 1000000}, at = in_ms(CLOCK_MONOTONIC, ms), real = in_ms(CLOCK_REALTIME, ms);
  struct timeval v = {0, ms * 1000};
  switch (me % 5) {
  case 0: check(nanosleep(&t, NULL) == 0); break;
  case 1: check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == 0); break;
  case 2: check(usleep((useconds_t)ms * 1000) == 0); break;
  case 3: check(select(0, NULL, NULL, NULL, &v) == 0); break;
  case 4: check(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &real, NULL) == 0); break;
  }
  check(now_ns(CLOCK_MONOTONIC) - before >= ms * 1000000 - 1000000);
  awake++;
  return NULL;
}

int main(void) {
  pthread_t t[8];
  for (long i = 7; i >= 0; i--) t[i] = start(sleeps, (void *)i);
  for (int i = 0; i < 8; i++) end(t[i]);
  say("%d\n", awake);
  done();
}
