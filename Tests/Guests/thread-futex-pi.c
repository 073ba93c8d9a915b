// Abstract: raw futexes: priority inheriting locks are handed over, tried, timed; errors of their use.
#include "thread.h"
#include <linux/futex.h>

static uint32_t word;
static sem_t ready;
static long futex(int op, struct timespec *t) { return syscall(SYS_futex, &word, op, 0, t, NULL, 0); }
static void *locks(void *arg) {
  up(&ready);
  check(futex(FUTEX_LOCK_PI, NULL) == 0);
  check((word & FUTEX_TID_MASK) == (uint32_t)gettid());
  *(int *)arg += 1;
  check(futex(FUTEX_UNLOCK_PI, NULL) == 0);
  return NULL;
}
static void *tries(void *arg) {
  show(futex(FUTEX_TRYLOCK_PI, NULL));
  show(futex(FUTEX_UNLOCK_PI, NULL));
  struct timespec soon = in_ms(CLOCK_REALTIME, 5), past = {1, 0}, bad = {1, -1};
  show(futex(FUTEX_LOCK_PI, &soon));
  show(futex(FUTEX_LOCK_PI, &past));
  show(futex(FUTEX_LOCK_PI, &bad));
  return arg;
}

int main(void) {
  enum { N = 5 };
  pthread_t t[N];
  int n = 0;
  sem_init(&ready, 0, 0);
  word = (uint32_t)gettid(); // as user space takes it
  show(futex(FUTEX_LOCK_PI, NULL));
  end(start(tries, NULL));
  for (int i = 0; i < N; i++) t[i] = start(locks, &n);
  for (int i = 0; i < N; i++) down(&ready);
  let_them_block();
  say("%d\n", n);
  show(futex(FUTEX_UNLOCK_PI, NULL));
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d %u\n", n, word);
  show(futex(FUTEX_TRYLOCK_PI, NULL));
  check(word == (uint32_t)gettid());
  show(futex(FUTEX_UNLOCK_PI, NULL));
  say("%u\n", word);
  done();
}
