// Abstract: pthread_once and call_once run once, also when many come at the same time and one is cancelled in it.
#include "thread.h"
#include <threads.h>

static pthread_once_t once = PTHREAD_ONCE_INIT, broken = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT;
static atomic_int runs, runs_c11, attempts;
static sem_t inside;
static void init(void) {
  let_them_block();
  runs++;
}
static void init_c11(void) { runs_c11++; }
static void first_is_cancelled(void) {
  if (attempts++ == 0) {
    up(&inside);
    pause();
  }
}
static void *run(void *arg) {
  pthread_once(&once, init);
  call_once(&flag, init_c11);
  check(runs == 1 && runs_c11 == 1);
  return arg;
}
static void *enters(void *arg) {
  pthread_once(&broken, first_is_cancelled);
  return arg;
}

int main(void) {
  pthread_t t[10];
  sem_init(&inside, 0, 0);
  for (int i = 0; i < 10; i++) t[i] = start(run, NULL);
  for (int i = 0; i < 10; i++) end(t[i]);
  say("%d %d\n", runs, runs_c11);
  t[0] = start(enters, (void *)1);
  down(&inside);
  t[1] = start(enters, (void *)2);
  check(pthread_cancel(t[0]) == 0);
  say("%ld\n", end(t[0]));
  say("%ld\n", end(t[1]));
  say("%d\n", attempts);
  done();
}
