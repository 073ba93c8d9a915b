// Abstract: threads get their argument and give a result; join, tryjoin, timedjoin and their errors.
#include "thread.h"

static sem_t go;
static void *square(void *arg) { return (void *)((long)arg * (long)arg); }
static void *waits(void *arg) {
  down(&go);
  return arg;
}
static void *joins_itself(void *arg) {
  (void)arg;
  return (void *)(long)pthread_join(pthread_self(), NULL);
}

int main(void) {
  pthread_t t[20];
  void *r = NULL;
  sem_init(&go, 0, 0);
  for (long i = 0; i < 20; i++) t[i] = start(square, (void *)i);
  for (long i = 0; i < 20; i++) say("%ld ", end(t[i]));
  say("\n");
  pthread_t w = start(waits, (void *)7);
  tell(pthread_tryjoin_np(w, &r));
  struct timespec soon = in_ms(CLOCK_REALTIME, 5), soon2 = in_ms(CLOCK_MONOTONIC, 5);
  tell(pthread_timedjoin_np(w, &r, &soon));
  tell(pthread_clockjoin_np(w, &r, CLOCK_MONOTONIC, &soon2));
  up(&go);
  struct timespec late = in_ms(CLOCK_REALTIME, 60000);
  tell(pthread_timedjoin_np(w, &r, &late));
  say("%ld\n", (long)r);
  say("%s\n", strerrorname_np((int)end(start(joins_itself, NULL))));
  check(pthread_equal(pthread_self(), pthread_self()) && !pthread_equal(pthread_self(), w));
  sem_t *s = &go;
  pthread_t d = start(waits, NULL);
  tell(pthread_detach(d));
  tell(pthread_join(d, NULL));
  up(s);
  done();
}
