// Abstract: asynchronous cancellation of a thread that computes without any call, and of one that sleeps.
#include "thread.h"

static sem_t ready;
static volatile unsigned long turns;
static void *computes(void *arg) {
  int old;
  check(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old) == 0 && old == PTHREAD_CANCEL_DEFERRED);
  up(&ready);
  for (;;) turns++;
  return arg;
}
static void *sleeps(void *arg) {
  check(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
  up(&ready);
  for (;;) pause_ms(100000);
  return arg;
}

int main(void) {
  sem_init(&ready, 0, 0);
  for (int i = 0; i < 4; i++) {
    pthread_t t = start(i % 2 ? computes : sleeps, NULL);
    down(&ready);
    check(pthread_cancel(t) == 0);
    say("%s\n", end(t) == (long)PTHREAD_CANCELED ? "cancelled" : "not cancelled");
  }
  done();
}
