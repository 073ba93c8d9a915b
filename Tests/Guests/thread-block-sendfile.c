// Abstract: sendfile and splice of more than a pipe holds, while another thread reads it at the other end.
#include "thread.h"
#include <sys/sendfile.h>

enum { BYTES = 400000 };
static int fds[2], second[2];
static sem_t ready;
static uint64_t expected;
static void *sends(void *arg) {
  int f = open("file", O_RDONLY);
  long n = 0;
  up(&ready);
  while (n < BYTES) {
    ssize_t k = arg ? splice(f, NULL, fds[1], NULL, BYTES - n, 0) : sendfile(fds[1], f, NULL, BYTES - n);
    check(k > 0);
    n += k;
  }
  check(close(f) == 0 && close(fds[1]) == 0);
  return (void *)n;
}
static void *passes(void *arg) {
  long n = 0;
  up(&ready);
  for (ssize_t k; (k = splice(fds[0], NULL, second[1], NULL, 65536, 0)) > 0;) n += k;
  check(close(second[1]) == 0 && arg == NULL);
  return (void *)n;
}
static void *reads(void *arg) {
  int fd = (int)(long)arg;
  char *b = malloc(BYTES);
  long n = 0;
  up(&ready);
  for (ssize_t k; (k = read(fd, b + n, BYTES - n)) > 0;) n += k;
  check(hash(b, BYTES) == expected);
  free(b);
  return (void *)n;
}

int main(void) {
  char *b = malloc(BYTES);
  sem_init(&ready, 0, 0);
  fill(b, BYTES, 9);
  expected = hash(b, BYTES);
  int f = open("file", O_WRONLY | O_CREAT, 0600);
  check(write(f, b, BYTES) == BYTES && close(f) == 0);
  for (long i = 0; i < 2; i++) {
    check(pipe(fds) == 0);
    pthread_t s = start(sends, (void *)i);
    down(&ready);
    let_them_block();
    pthread_t r = start(reads, (void *)(long)fds[0]);
    say("%ld ", end(s));
    say("%ld\n", end(r));
    down(&ready);
    check(close(fds[0]) == 0);
  }
  check(pipe(fds) == 0 && pipe(second) == 0);
  pthread_t p = start(passes, NULL);
  down(&ready);
  let_them_block();
  pthread_t r = start(reads, (void *)(long)second[0]), s = start(sends, (void *)0);
  say("%ld ", end(s));
  say("%ld ", end(p));
  say("%ld\n", end(r));
  done();
}
