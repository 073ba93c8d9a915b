// Abstract: raw futexes with time limits: relative, absolute on both clocks, passed already, badly formed.
#include "thread.h"
#include <linux/futex.h>

static uint32_t word;
static long wait_for(int op, struct timespec *t) { return syscall(SYS_futex, &word, op, 0, t, NULL, ~0u); }
static void all(void) {
  int64_t before = now_ns(CLOCK_MONOTONIC);
  struct timespec t = {0, 5000000}, zero = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0};
  show(wait_for(FUTEX_WAIT, &t));
  check(now_ns(CLOCK_MONOTONIC) - before >= 5000000);
  show(wait_for(FUTEX_WAIT, &zero));
  show(wait_for(FUTEX_WAIT, &bad));
  show(wait_for(FUTEX_WAIT, &negative));
  before = now_ns(CLOCK_MONOTONIC);
  t = in_ms(CLOCK_MONOTONIC, 5);
  show(wait_for(FUTEX_WAIT_BITSET, &t));
  t = in_ms(CLOCK_REALTIME, 5);
  show(wait_for(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, &t));
  check(now_ns(CLOCK_MONOTONIC) - before >= 9000000);
  t = (struct timespec){1, 0};
  show(wait_for(FUTEX_WAIT_BITSET, &t));
  show(wait_for(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, &t));
}
static void *run(void *arg) {
  all();
  return arg;
}

int main(void) {
  all();
  end(start(run, NULL));
  done();
}
