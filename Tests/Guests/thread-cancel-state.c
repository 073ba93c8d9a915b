// Abstract: disabled cancellation waits until it is enabled; a thread that computes is cancelled at testcancel.
#include "thread.h"

static sem_t ready, go;
static void *disabled(void *arg) {
  int old;
  check(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0 && old == PTHREAD_CANCEL_ENABLE);
  up(&ready);
  down(&go);
  pause_ms(1);
  pthread_testcancel();
  *(int *)arg = 1; // still here
  check(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0 && old == PTHREAD_CANCEL_DISABLE);
  pthread_testcancel();
  *(int *)arg = 2;
  return NULL;
}
static void *tests(void *arg) {
  up(&ready);
  for (;;) {
    sched_yield();
    pthread_testcancel();
    *(int *)arg = 1;
  }
  return NULL;
}
static void *cancels_itself(void *arg) {
  check(pthread_cancel(pthread_self()) == 0);
  *(int *)arg = 1;
  pthread_testcancel();
  *(int *)arg = 2;
  return NULL;
}
static void *pending_before(void *arg) {
  down(&go); // cancelled already when it comes here or not at all
  *(int *)arg = 1;
  return NULL;
}

int main(void) {
  int a = 0, b = 0, c = 0, d = 0;
  sem_init(&ready, 0, 0), sem_init(&go, 0, 0);
  pthread_t t = start(disabled, &a);
  down(&ready);
  check(pthread_cancel(t) == 0);
  up(&go);
  check(end(t) == (long)PTHREAD_CANCELED);
  t = start(tests, &b);
  down(&ready);
  check(pthread_cancel(t) == 0 && end(t) == (long)PTHREAD_CANCELED);
  t = start(cancels_itself, &c);
  check(end(t) == (long)PTHREAD_CANCELED);
  t = start(pending_before, &d);
  check(pthread_cancel(t) == 0 && end(t) == (long)PTHREAD_CANCELED);
  say("%d %d %d\n", a, c, d);
  done();
}
