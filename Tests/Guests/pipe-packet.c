// Abstract: a pipe in packet mode (O_DIRECT) keeps the bounds of writes.
#include "guest.h"

int main(void) {
  char b[64];
  int p[2];
  check(pipe2(p, O_DIRECT) == 0);
  show(write(p[1], "one", 3));
  show(write(p[1], "three", 5));
  show(write(p[1], "seven..", 7));
  show(read(p[0], b, sizeof b));
  show(read(p[0], b, 2));
  show(read(p[0], b, sizeof b));
  done();
}
