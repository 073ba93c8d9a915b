// Abstract: thread-local variables begin with their own values in each thread, errno among them.
#include "thread.h"

static __thread long counter = 41;
static __thread char buffer[5000];
static __thread struct { long a, b; } pair __attribute__((aligned(64))) = {1, 2};
static long *addresses[8];
static pthread_barrier_t b;

static void *run(void *arg) {
  long me = (long)arg;
  check(counter == 41 && pair.a == 1 && pair.b == 2 && ((uintptr_t)&pair & 63) == 0);
  for (int i = 0; i < 5000; i++) check(buffer[i] == 0);
  counter += me;
  pair.b = -me;
  memset(buffer, (int)me, sizeof buffer);
  addresses[me] = &counter;
  errno = (int)me + 1;
  pthread_barrier_wait(&b);
  check(errno == (int)me + 1);
  check(close(-1) == -1 && errno == EBADF);
  pthread_barrier_wait(&b);
  for (int i = 0; i < 5000; i++) check(buffer[i] == (char)me);
  for (int i = 0; i < 8; i++) check(i == me || addresses[i] != &counter);
  check(pair.b == -me && *addresses[(me + 1) % 8] == 41 + (me + 1) % 8);
  pthread_barrier_wait(&b);
  return (void *)counter;
}

int main(void) {
  pthread_t t[8];
  long sum = 0;
  pthread_barrier_init(&b, NULL, 8);
  for (long i = 0; i < 8; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < 8; i++) sum += end(t[i]);
  say("%ld %ld\n", sum, counter);
  done();
}
