// Abstract: C11 threads: thrd, mtx, cnd, tss and their results.
#include "thread.h"
#include <threads.h>

static mtx_t m;
static cnd_t c;
static tss_t key;
static int ready_, ended;
static void at_end(void *v) { ended += (int)(long)v; }
static int run(void *arg) {
  check(tss_set(key, arg) == thrd_success && tss_get(key) == arg);
  check(mtx_lock(&m) == thrd_success);
  ready_++;
  check(cnd_signal(&c) == thrd_success);
  check(mtx_unlock(&m) == thrd_success);
  thrd_yield();
  if ((long)arg == 2) thrd_exit(22);
  return (int)(long)arg;
}

int main(void) {
  thrd_t t[3];
  check(mtx_init(&m, mtx_timed | mtx_recursive) == thrd_success && cnd_init(&c) == thrd_success);
  check(tss_create(&key, at_end) == thrd_success);
  for (long i = 0; i < 3; i++) check(thrd_create(&t[i], run, (void *)(i + 1)) == thrd_success);
  mtx_lock(&m);
  while (ready_ < 3) cnd_wait(&c, &m);
  struct timespec soon;
  timespec_get(&soon, TIME_UTC);
  say("%s\n", cnd_timedwait(&c, &m, &soon) == thrd_timedout ? "timed out" : "?");
  mtx_unlock(&m);
  for (int i = 0; i < 3; i++) {
    int r;
    check(thrd_join(t[i], &r) == thrd_success);
    say("%d\n", r);
  }
  say("%d\n", ended);
  struct timespec t1 = {0, 1000000};
  check(thrd_sleep(&t1, NULL) == 0);
  done();
}
