// Abstract: truncate and ftruncate cut and extend.
#include "guest.h"

int main(void) {
  make_file("f", "0123456789");
  show(truncate("f", 4));
  show_file("f");
  int fd = open("f", O_RDWR);
  show(ftruncate(fd, 8));
  char b[9] = "xxxxxxxx";
  show(read(fd, b, 8));
  say("hash %016lx\n", hash(b, 8));
  show(ftruncate(fd, -1));
  show(truncate("none", 0));
  int ro = open("f", O_RDONLY);
  show(ftruncate(ro, 1));
  show(lseek(fd, 0, SEEK_CUR));
  show(ftruncate(fd, 0));
  show(write(fd, "x", 1));
  show(lseek(fd, 0, SEEK_END));
  done();
}
