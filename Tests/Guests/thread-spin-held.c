// Abstract: a spin lock whose holder sleeps: the others spin without any call until it comes back.
#include "thread.h"

static pthread_spinlock_t l;
static sem_t held;
static long counter;
static void *holds(void *arg) {
  check(pthread_spin_lock(&l) == 0);
  up(&held);
  pause_ms(5);
  counter++;
  check(pthread_spin_unlock(&l) == 0);
  return arg;
}
static void *spins(void *arg) {
  check(pthread_spin_lock(&l) == 0);
  counter++;
  check(pthread_spin_unlock(&l) == 0);
  return arg;
}

int main(void) {
  pthread_t t[3];
  sem_init(&held, 0, 0);
  pthread_spin_init(&l, PTHREAD_PROCESS_PRIVATE);
  t[0] = start(holds, NULL);
  down(&held);
  t[1] = start(spins, NULL), t[2] = start(spins, NULL);
  for (int i = 0; i < 3; i++) end(t[i]);
  say("%ld\n", counter);
  done();
}
