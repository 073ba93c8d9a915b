// Abstract: threads in reads of empty pipes and in writes to full ones, while others must run to let them go on.
#include "thread.h"

enum { MANY = 300000 };
static int empty[2], full[2], packets[2];
static sem_t ready;
static void *reads(void *arg) {
  char b[8];
  up(&ready);
  ssize_t n = read(empty[0], b, 3);
  return (void *)(long)n + 0 * (arg != NULL);
}
static void *writes(void *arg) {
  char *b = malloc(MANY);
  fill(b, MANY, 7);
  up(&ready);
  check(write(full[1], b, MANY) == MANY);
  check(close(full[1]) == 0);
  free(b);
  return arg;
}
static void *takes(void *arg) {
  char *b = malloc(MANY);
  long n = 0;
  up(&ready);
  for (ssize_t k; (k = read(full[0], b + n, MANY - n)) > 0;) n += k;
  uint64_t h = hash(b, MANY);
  fill(b, MANY, 7);
  check(h == hash(b, MANY));
  free(b);
  return (void *)n + 0 * (arg != NULL);
}
static void *counts(void *arg) {
  long n = 0;
  for (int i = 0; i < 1000; i++) n += getppid() > 0;
  check(write(empty[1], "abc", 3) == 3);
  check(write(empty[1], "def", 3) == 3 && arg == NULL);
  return (void *)n;
}

int main(void) {
  check(pipe(empty) == 0 && pipe(full) == 0 && pipe(packets) == 0);
  sem_init(&ready, 0, 0);
  pthread_t w = start(writes, NULL);
  down(&ready);
  let_them_block();
  pthread_t t = start(takes, NULL), r = start(reads, NULL);
  down(&ready), down(&ready);
  let_them_block();
  pthread_t c = start(counts, NULL), r2 = start(reads, NULL);
  say("%ld\n", end(c));
  say("%ld %ld\n", end(r), end(r2));
  say("%ld\n", end(t) + end(w));
  done();
}
