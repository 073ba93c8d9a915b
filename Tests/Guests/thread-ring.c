// Abstract: twenty threads pass a token round and round through pipes.
#include "thread.h"

enum { N = 20, ROUNDS = 25 };
static int fds[N][2];
static void *passes(void *arg) {
  long me = (long)arg;
  for (int i = 0; i < ROUNDS; i++) {
    int v;
    check(read(fds[me][0], &v, 4) == 4);
    v++;
    if (me == N - 1 && i == ROUNDS - 1) return (void *)(long)v;
    check(write(fds[(me + 1) % N][1], &v, 4) == 4);
  }
  return NULL;
}

int main(void) {
  pthread_t t[N];
  int v = 0;
  long sum = 0;
  for (int i = 0; i < N; i++) check(pipe(fds[i]) == 0);
  for (long i = 0; i < N; i++) t[i] = start(passes, (void *)i);
  check(write(fds[0][1], &v, 4) == 4);
  for (int i = 0; i < N; i++) sum += end(t[i]);
  say("%ld\n", sum);
  done();
}
