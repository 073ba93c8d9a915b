// Abstract: eventfds between threads: blocking reads and writes, semaphore mode, in epoll.
#include "thread.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int a, sem_fd, limit;
static sem_t ready;
static void *reads(void *arg) {
  uint64_t v, sum = 0;
  up(&ready);
  while (sum < 210) {
    check(read(a, &v, 8) == 8);
    sum += v;
  }
  return (void *)(long)sum + 0 * (arg != NULL);
}
static void *takes_one(void *arg) {
  uint64_t v;
  up(&ready);
  check(read(sem_fd, &v, 8) == 8 && v == 1);
  return arg;
}
static void *fills(void *arg) {
  uint64_t v = 10;
  up(&ready);
  check(write(limit, &v, 8) == 8);
  return arg;
}

int main(void) {
  uint64_t v;
  pthread_t t[5];
  sem_init(&ready, 0, 0);
  a = eventfd(0, 0), sem_fd = eventfd(0, EFD_SEMAPHORE), limit = eventfd(0, 0);
  pthread_t r = start(reads, NULL);
  down(&ready);
  for (v = 1; v <= 20; v++) check(write(a, &v, 8) == 8);
  say("%ld\n", end(r));
  for (int i = 0; i < 5; i++) t[i] = start(takes_one, NULL);
  for (int i = 0; i < 5; i++) down(&ready);
  let_them_block();
  v = 5;
  check(write(sem_fd, &v, 8) == 8);
  for (int i = 0; i < 5; i++) end(t[i]);
  v = UINT64_MAX - 1;
  check(write(limit, &v, 8) == 8);
  t[0] = start(fills, NULL);
  down(&ready);
  let_them_block();
  check(read(limit, &v, 8) == 8 && v == UINT64_MAX - 1);
  end(t[0]);
  check(read(limit, &v, 8) == 8);
  say("%ld\n", (long)v);
  done();
}
