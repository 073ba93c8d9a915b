// Abstract: a barrier lets all through together, round after round, and picks one of them each time.
#include "thread.h"

enum { N = 7, ROUNDS = 100 };
static pthread_barrier_t b;
static atomic_int at[ROUNDS], serial;

static void *run(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    at[i]++;
    int r = pthread_barrier_wait(&b);
    check(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
    if (r) serial++;
    check(at[i] == N);
  }
  return arg;
}

int main(void) {
  pthread_t t[N];
  tell(pthread_barrier_init(&b, NULL, 0));
  tell(pthread_barrier_init(&b, NULL, N));
  for (int i = 0; i < N; i++) t[i] = start(run, NULL);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d\n", serial);
  tell(pthread_barrier_destroy(&b));
  done();
}
