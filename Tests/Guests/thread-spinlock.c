// Abstract: spin locks guard a counter; the holder makes no call.
#include "thread.h"

enum { N = 6 };
static pthread_spinlock_t l;
static long counter;
static void *run(void *arg) {
  for (int i = 0; i < 5000; i++) {
    check(pthread_spin_lock(&l) == 0);
    counter++;
    check(pthread_spin_unlock(&l) == 0);
    if (i % 500 == 0) check(write(1, "", 0) == 0);
  }
  return arg;
}
static void *tries(void *arg) {
  tell(pthread_spin_trylock(&l));
  return arg;
}

int main(void) {
  pthread_t t[N];
  tell(pthread_spin_init(&l, PTHREAD_PROCESS_PRIVATE));
  for (int i = 0; i < N; i++) t[i] = start(run, NULL);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%ld\n", counter);
  tell(pthread_spin_lock(&l));
  end(start(tries, NULL));
  tell(pthread_spin_unlock(&l));
  end(start(tries, NULL));
  tell(pthread_spin_destroy(&l));
  done();
}
