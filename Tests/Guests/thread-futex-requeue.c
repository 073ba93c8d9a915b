// Abstract: raw futexes: requeue and compare-and-requeue move who waits from one word to another.
#include "thread.h"
#include <linux/futex.h>

static uint32_t a, b;
static sem_t ready;
static atomic_int awake;
static long futex(uint32_t *at, int op, uint32_t v, long v2, uint32_t *at2, uint32_t v3) {
  return syscall(SYS_futex, at, op, v, v2, at2, v3);
}
static void *waits(void *arg) {
  up(&ready);
  while (futex(&a, FUTEX_WAIT, 0, 0, NULL, 0) != 0) check(errno == EINTR);
  awake++;
  return arg;
}

int main(void) {
  enum { N = 5 };
  pthread_t t[N];
  sem_init(&ready, 0, 0);
  for (int i = 0; i < N; i++) t[i] = start(waits, NULL);
  for (int i = 0; i < N; i++) down(&ready);
  show(futex(&a, FUTEX_CMP_REQUEUE, 1, INT_MAX, &b, 9));
  show(futex(&a, FUTEX_CMP_REQUEUE, -1, INT_MAX, &b, 0));
  int moved = 0;
  for (int woken = 0; woken < 1;) { // one wakes, the others go to b
    long n = futex(&a, FUTEX_CMP_REQUEUE, 1, 0, &b, 0);
    check(n >= 0);
    woken += (int)n;
    if (!n) pause_ms(1);
  }
  while (moved < N - 1) {
    long n = futex(&a, FUTEX_REQUEUE, 0, INT_MAX, &b, 0);
    check(n >= 0);
    moved += (int)n;
    if (!n) pause_ms(1);
  }
  show(futex(&a, FUTEX_WAKE, INT_MAX, 0, NULL, 0));
  show(futex(&b, FUTEX_WAKE, 2, 0, NULL, 0));
  show(futex(&b, FUTEX_WAKE, INT_MAX, 0, NULL, 0));
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d\n", awake);
  done();
}
