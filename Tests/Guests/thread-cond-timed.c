// Abstract: timed waits for a condition on both clocks end in time, or with the signal.
#include "thread.h"

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t real = PTHREAD_COND_INITIALIZER, mono;
static int flag;

static void *signals(void *arg) {
  pthread_mutex_lock(&m);
  flag = 1;
  pthread_cond_signal(arg);
  pthread_mutex_unlock(&m);
  return NULL;
}
static void wait_on(const char *name, pthread_cond_t *c, clockid_t clock, int by_clockwait) {
  pthread_mutex_lock(&m);
  flag = 0;
  int64_t before = now_ns(CLOCK_MONOTONIC);
  struct timespec soon = in_ms(clock, 10), past = {1, 0};
  int r = by_clockwait ? pthread_cond_clockwait(c, &m, clock, &soon) : pthread_cond_timedwait(c, &m, &soon);
  say("%s: %s\n", name, r ? strerrorname_np(r) : "0");
  check(now_ns(CLOCK_MONOTONIC) - before >= 9000000);
  r = by_clockwait ? pthread_cond_clockwait(c, &m, clock, &past) : pthread_cond_timedwait(c, &m, &past);
  say("%s: %s\n", name, r ? strerrorname_np(r) : "0");
  struct timespec late = in_ms(clock, 60000);
  pthread_t t = start(signals, c);
  r = 0;
  while (!flag && r == 0)
    r = by_clockwait ? pthread_cond_clockwait(c, &m, clock, &late) : pthread_cond_timedwait(c, &m, &late);
  say("%s: %s %d\n", name, r ? strerrorname_np(r) : "0", flag);
  pthread_mutex_unlock(&m);
  end(t);
}

int main(void) {
  pthread_condattr_t a;
  clockid_t clock;
  check(pthread_condattr_init(&a) == 0 && pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0);
  check(pthread_condattr_getclock(&a, &clock) == 0 && clock == CLOCK_MONOTONIC);
  check(pthread_cond_init(&mono, &a) == 0);
  wait_on("realtime", &real, CLOCK_REALTIME, 0);
  wait_on("monotonic", &mono, CLOCK_MONOTONIC, 0);
  wait_on("clockwait realtime", &mono, CLOCK_REALTIME, 1);
  wait_on("clockwait monotonic", &real, CLOCK_MONOTONIC, 1);
  done();
}
