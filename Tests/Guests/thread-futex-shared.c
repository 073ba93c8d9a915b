// Abstract: futexes, mutexes and conditions in memory that two processes share.
// Collapse: yes
#include "thread.h"
#include <linux/futex.h>
#include <sys/mman.h>

struct shared {
  pthread_mutex_t m;
  pthread_cond_t c;
  pthread_barrier_t b;
  sem_t s;
  long sum, turn;
  uint32_t word;
};
static struct shared *x;
static void *run(void *arg) {
  for (int i = 0; i < 200; i++) {
    check(pthread_mutex_lock(&x->m) == 0);
    x->sum++;
    check(pthread_mutex_unlock(&x->m) == 0);
  }
  return arg;
}
static void both(long me) {
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start(run, NULL);
  for (int i = 0; i < 3; i++) end(t[i]);
  int r = pthread_barrier_wait(&x->b);
  check(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
  check(x->sum == 1200);
  for (int i = 0; i < 50; i++) {
    check(pthread_mutex_lock(&x->m) == 0);
    while (x->turn % 2 != me) check(pthread_cond_wait(&x->c, &x->m) == 0);
    x->turn++;
    check(pthread_cond_broadcast(&x->c) == 0);
    check(pthread_mutex_unlock(&x->m) == 0);
  }
}

int main(void) {
  pthread_mutexattr_t m;
  pthread_condattr_t c;
  pthread_barrierattr_t b;
  x = mmap(NULL, sizeof *x, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(x != MAP_FAILED);
  pthread_mutexattr_init(&m), pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
  pthread_condattr_init(&c), pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_init(&b), pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
  check(pthread_mutex_init(&x->m, &m) == 0 && pthread_cond_init(&x->c, &c) == 0);
  check(pthread_barrier_init(&x->b, &b, 2) == 0 && sem_init(&x->s, 1, 0) == 0);
  pid_t p = fork();
  if (p == 0) {
    both(1);
    up(&x->s);
    while (!*(volatile uint32_t *)&x->word) syscall(SYS_futex, &x->word, FUTEX_WAIT, 0, NULL, NULL, 0);
    _exit(0);
  }
  both(0);
  down(&x->s);
  pause_ms(2);
  x->word = 1;
  check(syscall(SYS_futex, &x->word, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
  show_end("child", p);
  say("%ld %ld\n", x->sum, x->turn);
  done();
}
