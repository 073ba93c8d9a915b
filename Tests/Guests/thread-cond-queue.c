// Abstract: producers and consumers pass numbers through a bounded queue with two condition variables.
#include "thread.h"

enum { P = 3, C = 4, EACH = 400, ROOM = 8 };
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static long queue[ROOM], head, tail, taken;

static void *produce(void *arg) {
  for (long i = 0; i < EACH; i++) {
    pthread_mutex_lock(&m);
    while (head - tail == ROOM) check(pthread_cond_wait(&not_full, &m) == 0);
    queue[head++ % ROOM] = (long)arg * EACH + i;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&m);
  }
  return NULL;
}
static void *consume(void *arg) {
  long sum = 0;
  (void)arg;
  for (;;) {
    pthread_mutex_lock(&m);
    while (head == tail && taken < P * EACH) check(pthread_cond_wait(&not_empty, &m) == 0);
    if (taken == P * EACH) break;
    sum += queue[tail++ % ROOM];
    if (++taken == P * EACH) pthread_cond_broadcast(&not_empty);
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&m);
  }
  pthread_mutex_unlock(&m);
  return (void *)sum;
}

int main(void) {
  pthread_t p[P], c[C];
  long sum = 0;
  for (int i = 0; i < C; i++) c[i] = start(consume, NULL);
  for (long i = 0; i < P; i++) p[i] = start(produce, (void *)i);
  for (int i = 0; i < P; i++) end(p[i]);
  for (int i = 0; i < C; i++) sum += end(c[i]);
  say("%ld of %ld\n", taken, sum);
  done();
}
