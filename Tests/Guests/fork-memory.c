// Abstract: parent and child have separate memory and shared descriptors and offsets.
#include "guest.h"

static int value = 1;

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644), p[2];
  check(write(fd, "0123456789", 10) == 10 && lseek(fd, 2, SEEK_SET) == 2 && pipe(p) == 0);
  pid_t c = fork();
  if (c == 0) {
    char b[4] = "";
    check(read(fd, b, 3) == 3);
    value = 2;
    dprintf(p[1], "%s %d", b, value);
    close(fd);
    _exit(0);
  }
  close(p[1]);
  char b[32] = "";
  ssize_t n, at = 0;
  while ((n = read(p[0], b + at, sizeof b - 1 - at)) > 0) at += n;
  show_end("child", c);
  say("%s; parent %d\n", b, value);
  show(lseek(fd, 0, SEEK_CUR));
  done();
}
