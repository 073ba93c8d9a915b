// Abstract: threads with a mutex, a condition, a barrier, TLS and join come to the right sum.
// Collapse: yes
#include "guest.h"
#include <pthread.h>

enum { N = 4, ROUNDS = 2000 };
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t b;
static long counter, turn;
static __thread long own;

static void *run(void *arg) {
  long me = (long)arg;
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&m);
    counter++, own++;
    pthread_mutex_unlock(&m);
  }
  pthread_barrier_wait(&b);
  pthread_mutex_lock(&m);
  while (turn != me) pthread_cond_wait(&c, &m);
  say("thread %ld: %ld of %ld\n", me, own, counter);
  turn++;
  pthread_cond_broadcast(&c);
  pthread_mutex_unlock(&m);
  return (void *)(me * me);
}

int main(void) {
  pthread_t t[N];
  long sum = 0;
  pthread_barrier_init(&b, NULL, N);
  for (long i = 0; i < N; i++) check(pthread_create(&t[i], NULL, run, (void *)i) == 0);
  for (int i = 0; i < N; i++) {
    void *r;
    check(pthread_join(t[i], &r) == 0);
    sum += (long)r;
  }
  say("%ld\n", sum);
  done();
}
