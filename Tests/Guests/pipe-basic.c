// Abstract: a pipe carries bytes in order, ends when its writer closes, and knows what it holds.
#include "guest.h"
#include <sys/ioctl.h>

int main(void) {
  int p[2], n = 0;
  char b[64] = "";
  check(pipe(p) == 0);
  say("%d %d\n", p[0], p[1]);
  show(write(p[1], "first", 5));
  show(write(p[1], "second", 6));
  show(ioctl(p[0], FIONREAD, &n));
  say("%d waiting\n", n);
  show(read(p[0], b, 3));
  show(read(p[0], b + 3, sizeof b - 4));
  say("%s\n", b);
  show(write(p[1], "", 0));
  show(write(p[1], "last", 4));
  show(close(p[1]));
  show(read(p[0], b, sizeof b));
  show(read(p[0], b, sizeof b));
  done();
}
