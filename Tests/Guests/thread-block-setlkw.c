// Abstract: threads wait for record locks: of open files (F_OFD_SETLKW) against one another, of a child by F_SETLKW.
#include "thread.h"

static sem_t ready;
static int child_fd;
static void *locks(void *arg) {
  int fd = open("file", O_RDWR);
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  up(&ready);
  check(fcntl(fd, arg ? F_OFD_SETLKW : F_SETLKW, &l) == 0);
  if (arg) check(close(fd) == 0);
  return arg;
}

int main(void) {
  sem_init(&ready, 0, 0);
  make_file("file", "0123456789abcdef");
  int fd = open("file", O_RDWR), to[2], from[2];
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10};
  show(fcntl(fd, F_OFD_SETLK, &l));
  pthread_t t = start(locks, (void *)1);
  down(&ready);
  let_them_block();
  l.l_type = F_UNLCK;
  show(fcntl(fd, F_OFD_SETLK, &l));
  say("%ld\n", end(t));
  check(pipe(to) == 0 && pipe(from) == 0);
  pid_t c = fork();
  if (c == 0) {
    char b;
    child_fd = open("file", O_RDWR);
    l.l_type = F_WRLCK;
    check(fcntl(child_fd, F_SETLK, &l) == 0 && write(from[1], "l", 1) == 1);
    check(close(to[1]) == 0 && read(to[0], &b, 1) == 0);
    _exit(0); // which lets it go
  }
  char b;
  check(read(from[0], &b, 1) == 1);
  t = start(locks, NULL);
  down(&ready);
  let_them_block();
  check(close(to[1]) == 0);
  say("%ld\n", end(t));
  show_end("child", c);
  done();
}
