// Abstract: priority inheriting mutexes: contention, try, time-outs, recursion, and with a condition variable.
#include "thread.h"

enum { N = 6, ROUNDS = 300 };
static pthread_mutex_t m;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static long sum, inside, seen;
static sem_t go, held;

static void *adds(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    check(pthread_mutex_lock(&m) == 0);
    check(++inside == 1);
    if (i % 16 == 0) sched_yield();
    sum++, inside--;
    check(pthread_mutex_unlock(&m) == 0);
  }
  return NULL;
}
static void *holds(void *arg) {
  (void)arg;
  check(pthread_mutex_lock(&m) == 0);
  up(&held);
  down(&go);
  check(pthread_mutex_unlock(&m) == 0);
  return NULL;
}
static void *waits(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  while (!seen) check(pthread_cond_wait(&c, &m) == 0);
  seen++;
  check(pthread_mutex_unlock(&m) == 0);
  return arg;
}

int main(void) {
  pthread_mutexattr_t a;
  pthread_t t[N];
  sem_init(&go, 0, 0), sem_init(&held, 0, 0);
  check(pthread_mutexattr_init(&a) == 0 && pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) == 0);
  check(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK) == 0);
  check(pthread_mutex_init(&m, &a) == 0);
  for (int i = 0; i < N; i++) t[i] = start(adds, NULL);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%ld\n", sum);
  t[0] = start(holds, NULL);
  down(&held);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5), mono = in_ms(CLOCK_MONOTONIC, 5);
  tell(pthread_mutex_trylock(&m));
  tell(pthread_mutex_timedlock(&m, &soon));
  tell(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &mono));
  tell(pthread_mutex_unlock(&m));
  up(&go);
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_unlock(&m));
  end(t[0]);
  for (int i = 0; i < N; i++) t[i] = start(waits, NULL);
  let_them_block();
  check(pthread_mutex_lock(&m) == 0);
  seen = 1;
  check(pthread_cond_broadcast(&c) == 0);
  check(pthread_mutex_unlock(&m) == 0);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%ld\n", seen);
  tell(pthread_mutex_destroy(&m));
  done();
}
