// Abstract: semaphores: wait, post, try, timed waits on both clocks, values and errors.
#include "thread.h"

static sem_t a, b;
static void *pong(void *arg) {
  for (int i = 0; i < 300; i++) down(&a), up(&b);
  return arg;
}

int main(void) {
  int v;
  show(sem_init(&a, 0, 2));
  show(sem_trywait(&a));
  show(sem_wait(&a));
  show(sem_trywait(&a));
  struct timespec soon = in_ms(CLOCK_REALTIME, 10), mono = in_ms(CLOCK_MONOTONIC, 5), bad = {1, 1000000000};
  int64_t before = now_ns(CLOCK_MONOTONIC);
  show(sem_timedwait(&a, &soon));
  check(now_ns(CLOCK_MONOTONIC) - before >= 9000000);
  show(sem_clockwait(&a, CLOCK_MONOTONIC, &mono));
  show(sem_timedwait(&a, &bad));
  sem_init(&b, 0, 0);
  pthread_t t = start(pong, NULL);
  for (int i = 0; i < 300; i++) up(&a), down(&b);
  end(t);
  check(sem_getvalue(&a, &v) == 0);
  say("%d\n", v);
  for (int i = 0; i < 3; i++) up(&a);
  check(sem_getvalue(&a, &v) == 0);
  say("%d\n", v);
  struct timespec late = in_ms(CLOCK_REALTIME, 60000);
  show(sem_timedwait(&a, &late));
  show(sem_destroy(&a));
  done();
}
