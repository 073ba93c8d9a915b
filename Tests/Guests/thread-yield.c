// Abstract: threads that wait for one another with sched_yield alone come to an end, also beside one in a call.
#include "thread.h"

enum { N = 5, ROUNDS = 300 };
static atomic_int turn;
static void *run(void *arg) {
  int me = (int)(long)arg;
  for (int i = 0; i < ROUNDS; i++) {
    while (turn % N != me) sched_yield();
    turn++;
  }
  return NULL;
}
static int fds[2];
static atomic_int seen;
static void *reads(void *arg) {
  char b;
  check(read(fds[0], &b, 1) == 1);
  seen = 1;
  return arg;
}

int main(void) {
  pthread_t t[N];
  for (long i = 0; i < N; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d\n", turn);
  check(pipe(fds) == 0);
  t[0] = start(reads, NULL);
  let_them_block();
  check(write(fds[1], "x", 1) == 1);
  while (!seen) sched_yield();
  end(t[0]);
  done();
}
