// Abstract: locks of files that a child holds stay with it when it becomes a set.
// Protect: 20
#include "guest.h"
#include <sys/file.h>

int main(void) {
  int p[2], q[2];
  char b;
  check(pipe(p) == 0 && pipe(q) == 0);
  make_file("f", "0123456789");
  pid_t c = fork();
  if (c == 0) {
    int fd = open("f", O_RDWR), other = open("f", O_RDWR);
    struct flock l = {.l_type = F_WRLCK, .l_start = 2, .l_len = 3};
    check(fcntl(fd, F_SETLK, &l) == 0 && flock(other, LOCK_EX) == 0);
    pause_ms(60);
    check(write(p[1], "l", 1) == 1 && read(q[0], &b, 1) == 1);
    l.l_type = F_UNLCK;
    check(fcntl(fd, F_SETLK, &l) == 0 && flock(other, LOCK_UN) == 0);
    check(write(p[1], "u", 1) == 1 && read(q[0], &b, 1) == 1);
    _exit(0);
  }
  int fd = open("f", O_RDWR), other = open("f", O_RDWR);
  for (int i = 0; i < 2; i++) {
    struct flock l = {.l_type = F_WRLCK, .l_start = 0, .l_len = 10};
    check(read(p[0], &b, 1) == 1);
    check(fcntl(fd, F_GETLK, &l) == 0);
    say("%c: locked %d from %d\n", b, l.l_type != F_UNLCK, l.l_type != F_UNLCK ? (int)l.l_start : -1);
    show(flock(other, LOCK_EX | LOCK_NB));
    check(write(q[1], "g", 1) == 1);
  }
  show_end("child", c);
  done();
}
