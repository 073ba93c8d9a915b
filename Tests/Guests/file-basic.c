// Abstract: open, write, lseek, read and close on one file.
#include "guest.h"

int main(void) {
  char b[32] = "";
  int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
  say("fd %d\n", fd);
  show(write(fd, "hello, world", 12));
  show(lseek(fd, 0, SEEK_CUR));
  show(lseek(fd, 7, SEEK_SET));
  show(read(fd, b, 5));
  say("%s\n", b);
  show(read(fd, b, 5));
  show(lseek(fd, -12, SEEK_END));
  show(write(fd, "H", 1));
  show(lseek(fd, 3, SEEK_END));
  show(write(fd, "!", 1));
  show(lseek(fd, -1, SEEK_SET));
  show(lseek(fd, 0, SEEK_DATA));
  show(lseek(fd, 0, SEEK_SET));
  show(read(fd, b, sizeof b));
  say("hash %016lx\n", hash(b, 16));
  show(close(fd));
  show(close(fd));
  done();
}
