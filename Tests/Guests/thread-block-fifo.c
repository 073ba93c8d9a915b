// Abstract: a thread waits in the opening of a FIFO until another opens its other end; then they talk.
#include "thread.h"

static sem_t ready;
static void *reads(void *arg) {
  char b[16] = "";
  up(&ready);
  int fd = open("fifo", O_RDONLY);
  check(fd >= 0 && read(fd, b, sizeof b) == 5 && read(fd, b + 8, 8) == 0);
  say("%s\n", b);
  check(close(fd) == 0);
  return arg;
}
static void *writes(void *arg) {
  up(&ready);
  int fd = open("fifo", O_WRONLY);
  check(fd >= 0 && write(fd, "hello", 5) == 5 && close(fd) == 0);
  return arg;
}

int main(void) {
  sem_init(&ready, 0, 0);
  check(mkfifo("fifo", 0600) == 0);
  for (int i = 0; i < 4; i++) {
    pthread_t a = start(i % 2 ? reads : writes, NULL);
    down(&ready);
    let_them_block();
    pthread_t b = start(i % 2 ? writes : reads, NULL);
    down(&ready);
    end(a), end(b);
  }
  done();
}
