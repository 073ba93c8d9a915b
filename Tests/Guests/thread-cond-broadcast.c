// Abstract: a broadcast wakes all that wait, signals wake as many as there are signals.
#include "thread.h"

enum { N = 24 };
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER, all_there = PTHREAD_COND_INITIALIZER;
static int waiting, tickets, woken;

static void *waits(void *arg) {
  pthread_mutex_lock(&m);
  if (++waiting == N) pthread_cond_signal(&all_there);
  while (!tickets) pthread_cond_wait(&c, &m);
  tickets--, woken++;
  pthread_cond_signal(&all_there);
  pthread_mutex_unlock(&m);
  return arg;
}

int main(void) {
  pthread_t t[N];
  for (int round = 0; round < 3; round++) {
    waiting = woken = tickets = 0;
    for (int i = 0; i < N; i++) t[i] = start(waits, NULL);
    pthread_mutex_lock(&m);
    while (waiting < N) pthread_cond_wait(&all_there, &m);
    for (int i = 1; i <= 5; i++) {
      tickets++;
      pthread_cond_signal(&c);
      while (woken < i) pthread_cond_wait(&all_there, &m);
    }
    say("%d woken by 5 signals\n", woken);
    tickets = N - woken;
    pthread_cond_broadcast(&c);
    pthread_mutex_unlock(&m);
    for (int i = 0; i < N; i++) end(t[i]);
    say("%d\n", woken);
  }
  done();
}
