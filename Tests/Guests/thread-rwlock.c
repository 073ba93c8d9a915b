// Abstract: read-write locks: readers together, writers alone, try and timed forms, both preferences.
#include "thread.h"

static pthread_rwlock_t l;
static sem_t in, out;
static int writers;
static long value, copies[2];

static void *reads(void *arg) {
  check(pthread_rwlock_rdlock(&l) == 0);
  up(&in);
  if (arg) down(&out);
  check(pthread_rwlock_unlock(&l) == 0);
  return NULL;
}
static void *writes(void *arg) {
  for (int i = 0; i < 200; i++) {
    check(pthread_rwlock_wrlock(&l) == 0);
    check(++writers == 1);
    copies[0] = ++value;
    if (i % 32 == 0) sched_yield();
    copies[1] = value;
    writers--;
    check(pthread_rwlock_unlock(&l) == 0);
  }
  return arg;
}
static void *compares(void *arg) {
  for (int i = 0; i < 200; i++) {
    check(pthread_rwlock_rdlock(&l) == 0);
    check(writers == 0 && copies[0] == copies[1]);
    if (i % 32 == 0) sched_yield();
    check(pthread_rwlock_unlock(&l) == 0);
  }
  return arg;
}

int main(void) {
  static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
  sem_init(&in, 0, 0), sem_init(&out, 0, 0);
  for (int k = 0; k < 2; k++) {
    pthread_rwlockattr_t a;
    check(pthread_rwlockattr_init(&a) == 0 && pthread_rwlockattr_setkind_np(&a, kinds[k]) == 0);
    check(pthread_rwlock_init(&l, &a) == 0);
    pthread_t r[3], w[6];
    for (int i = 0; i < 3; i++) r[i] = start(reads, (void *)1);
    for (int i = 0; i < 3; i++) down(&in); // all three are in at the same time
    tell(pthread_rwlock_tryrdlock(&l));
    tell(pthread_rwlock_unlock(&l));
    tell(pthread_rwlock_trywrlock(&l));
    struct timespec soon = in_ms(CLOCK_REALTIME, 5), mono = in_ms(CLOCK_MONOTONIC, 5);
    tell(pthread_rwlock_timedwrlock(&l, &soon));
    tell(pthread_rwlock_clockwrlock(&l, CLOCK_MONOTONIC, &mono));
    w[0] = start(writes, NULL);
    for (int i = 0; i < 3; i++) up(&out);
    for (int i = 0; i < 3; i++) end(r[i]);
    end(w[0]);
    tell(pthread_rwlock_wrlock(&l));
    tell(pthread_rwlock_tryrdlock(&l));
    tell(pthread_rwlock_rdlock(&l));
    r[0] = start(reads, NULL);
    let_them_block();
    tell(pthread_rwlock_unlock(&l));
    end(r[0]);
    down(&in);
    for (int i = 0; i < 6; i++) w[i] = start(i % 2 ? writes : compares, NULL);
    for (int i = 0; i < 6; i++) end(w[i]);
    say("%ld\n", value);
    tell(pthread_rwlock_destroy(&l));
  }
  done();
}
