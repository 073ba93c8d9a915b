// Abstract: five hundred threads at the same time, each with its own stack and variables, all joined.
#include "thread.h"

enum { N = 500 };
static pthread_t t[N];
static pthread_barrier_t b;
static __thread long own;
static atomic_long sum;
static void *run(void *arg) {
  own = (long)arg;
  pthread_barrier_wait(&b);
  sum += own;
  if (own % 50 == 0) pause_ms(1);
  pthread_barrier_wait(&b);
  return (void *)own;
}

int main(void) {
  pthread_attr_t a;
  long back = 0;
  check(pthread_attr_init(&a) == 0 && pthread_attr_setstacksize(&a, 64 << 10) == 0);
  pthread_barrier_init(&b, NULL, N + 1);
  for (long i = 0; i < N; i++) check(pthread_create(&t[i], &a, run, (void *)i) == 0);
  pthread_barrier_wait(&b);
  pthread_barrier_wait(&b);
  for (int i = 0; i < N; i++) back += end(t[i]);
  say("%ld %ld\n", (long)sum, back);
  done();
}
