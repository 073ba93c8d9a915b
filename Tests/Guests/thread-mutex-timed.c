// Abstract: timed locks on both clocks: too late, in time, a time that has passed, a bad time.
#include "thread.h"

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, go;
static void *holds(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  up(&held);
  down(&go);
  if (arg) pause_ms(5);
  check(pthread_mutex_unlock(&m) == 0);
  return NULL;
}

int main(void) {
  sem_init(&held, 0, 0), sem_init(&go, 0, 0);
  for (long i = 0; i < 2; i++) {
    pthread_t t = start(holds, (void *)i);
    down(&held);
    int64_t before = now_ns(CLOCK_MONOTONIC);
    struct timespec soon = in_ms(CLOCK_REALTIME, 10), mono = in_ms(CLOCK_MONOTONIC, 10), past = {1, 0}, bad = {1, -1};
    tell(pthread_mutex_timedlock(&m, &soon));
    check(now_ns(CLOCK_MONOTONIC) - before >= 9000000);
    tell(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &mono));
    tell(pthread_mutex_timedlock(&m, &past));
    tell(pthread_mutex_timedlock(&m, &bad));
    tell(pthread_mutex_clocklock(&m, CLOCK_PROCESS_CPUTIME_ID, &mono));
    up(&go);
    struct timespec late = in_ms(CLOCK_REALTIME, 60000), far = {4102444800, 0};
    tell(i ? pthread_mutex_timedlock(&m, &late) : pthread_mutex_timedlock(&m, &far));
    tell(pthread_mutex_unlock(&m));
    end(t);
  }
  done();
}
