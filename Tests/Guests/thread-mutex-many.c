// Abstract: many threads add under one mutex with calls in between, and none is left behind.
#include "thread.h"

enum { N = 16, ROUNDS = 200 };
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static long counter, own[N];

static void *run(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    check(pthread_mutex_lock(&m) == 0);
    long was = counter;
    if (i % 20 == 0) check(write(1, "", 0) == 0); // the others come to the lock meanwhile
    counter = was + 1;
    check(pthread_mutex_unlock(&m) == 0);
    own[(long)arg]++;
  }
  return NULL;
}

int main(void) {
  pthread_t t[N];
  for (long i = 0; i < N; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < N; i++) end(t[i]);
  for (int i = 0; i < N; i++) check(own[i] == ROUNDS);
  say("%ld\n", counter);
  done();
}
