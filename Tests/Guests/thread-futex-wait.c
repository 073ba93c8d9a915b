// Abstract: raw futexes: wait and wake, values that have changed, counts, bit sets, bad arguments.
#include "thread.h"
#include <linux/futex.h>

static uint32_t word __attribute__((aligned(8)));
static sem_t ready;
static atomic_int awake;
static long futex(uint32_t *at, int op, uint32_t v, void *t, uint32_t *at2, uint32_t v3) {
  return syscall(SYS_futex, at, op, v, t, at2, v3);
}
static void *waits(void *arg) {
  up(&ready);
  while (futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) != 0) {
    if (errno == EAGAIN) break;
    check(errno == EINTR);
  }
  awake++;
  return arg;
}
static void *waits_for_bits(void *arg) {
  up(&ready);
  check(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (uint32_t)(long)arg) == 0);
  awake++;
  return arg;
}

int main(void) {
  pthread_t t[6];
  sem_init(&ready, 0, 0);
  show(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
  show(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
  show(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
  show(futex((uint32_t *)((char *)&word + 1), FUTEX_WAKE, 1, NULL, NULL, 0));
  show(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0));
  show(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  show(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
  show(futex(&word, 77, 1, NULL, NULL, 0));
  pthread_t first = start((thread_body *)(void *)sched_yield, NULL);
  show(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0)); // the same beside another thread
  show(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
  show(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0));
  show(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  show(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
  show(futex(&word, 77, 1, NULL, NULL, 0));
  end(first);
  for (int i = 0; i < 6; i++) t[i] = start(waits, NULL);
  for (int i = 0; i < 6; i++) down(&ready);
  int n = 0;
  while (n < 2) {
    long k = futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    check(k == 0 || k == 1);
    n += (int)k;
    if (!k) pause_ms(1);
  }
  word = 1; // who has not come to it yet does not wait any more
  while (awake < 6) futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0), pause_ms(1);
  for (int i = 0; i < 6; i++) end(t[i]);
  say("%d\n", awake);
  word = 0, awake = 0;
  for (long i = 0; i < 3; i++) t[i] = start(waits_for_bits, (void *)(1l << i));
  for (int i = 0; i < 3; i++) down(&ready);
  for (int i = 2; i >= 0; i--) {
    while (futex(&word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, 1u << i) == 0) pause_ms(1);
    say("%ld\n", end(t[i]));
  }
  done();
}
