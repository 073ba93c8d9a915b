// Abstract: raw futexes: FUTEX_WAKE_OP with each operation and each comparison.
#include "thread.h"
#include <linux/futex.h>

static uint32_t a, b;
static sem_t ready;
static void *waits(void *arg) {
  up(&ready);
  while (syscall(SYS_futex, arg, FUTEX_WAIT, *(uint32_t *)arg, NULL, NULL, 0) != 0 && errno != EAGAIN) {}
  return NULL;
}
static void *nothing(void *arg) {
  static const int ops[] = {FUTEX_OP_SET, FUTEX_OP_ADD, FUTEX_OP_OR, FUTEX_OP_ANDN, FUTEX_OP_XOR, FUTEX_OP_SET | 8, FUTEX_OP_ADD | 8};
  for (int o = 0; o < 7; o++) {
    b = 12;
    long r = syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1l, &b, FUTEX_OP(ops[o], 5, FUTEX_OP_CMP_EQ, 12));
    say("op %d: %ld, %u\n", ops[o], r, b);
  }
  b = 1;
  check(syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1l, &b, FUTEX_OP(FUTEX_OP_ADD, -2, FUTEX_OP_CMP_EQ, 0)) == 0);
  say("%d\n", (int)b);
  show(syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1l, (void *)16, 0));
  return arg;
}

int main(void) {
  sem_init(&ready, 0, 0);
  end(start(nothing, NULL));
  for (int cmp = 0; cmp < 6; cmp++) {
    a = 0, b = 3;
    pthread_t x = start(waits, &a), y = start(waits, &b);
    down(&ready), down(&ready);
    pause_ms(5); // both wait: a count below does not depend on it
    long n = syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1l, &b, FUTEX_OP(FUTEX_OP_ADD, 1, cmp, 3));
    check(n >= 0 && n <= 2 && b == 4);
    a = 1;
    syscall(SYS_futex, &a, FUTEX_WAKE, 1), syscall(SYS_futex, &b, FUTEX_WAKE, 1);
    end(x), end(y);
  }
  done();
}
