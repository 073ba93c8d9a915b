// Abstract: a thread waits in flock for another's open file, which is let go while it waits.
#include "thread.h"
#include <sys/file.h>

static sem_t ready;
static int order[4], n;
static void *locks(void *arg) {
  int fd = open("file", O_RDWR);
  check(fd >= 0);
  up(&ready);
  check(flock(fd, LOCK_EX) == 0);
  order[n++] = (int)(long)arg;
  check(flock(fd, LOCK_UN) == 0 && close(fd) == 0);
  return arg;
}

int main(void) {
  pthread_t t[3];
  sem_init(&ready, 0, 0);
  make_file("file", "x");
  int fd = open("file", O_RDWR), other = open("file", O_RDWR);
  show(flock(fd, LOCK_EX));
  show(flock(other, LOCK_EX | LOCK_NB));
  for (long i = 0; i < 3; i++) t[i] = start(locks, (void *)i);
  for (int i = 0; i < 3; i++) down(&ready);
  let_them_block();
  say("%d\n", n);
  show(flock(fd, LOCK_UN));
  for (int i = 0; i < 3; i++) end(t[i]);
  say("%d\n", n);
  show(flock(other, LOCK_SH | LOCK_NB));
  done();
}
