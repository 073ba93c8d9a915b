// Abstract: O_NONBLOCK on a pipe: EAGAIN when empty, a part and then EAGAIN when full.
#include "guest.h"

int main(void) {
  static char data[1 << 20], back[1 << 20];
  int p[2];
  fill(data, sizeof data, 11);
  check(pipe2(p, O_NONBLOCK) == 0);
  show(read(p[0], back, 10));
  show(write(p[1], data, sizeof data));
  show(write(p[1], data, 1));
  show(read(p[0], back, 4095));
  show(write(p[1], data, 1));
  show(read(p[0], back + 4095, 1));
  show(write(p[1], data, 4096));
  show(read(p[0], back + 4096, sizeof back - 4096));
  check(!memcmp(back, data, 65536 - 4096));
  show(read(p[0], back, 1));
  show(close(p[1]));
  show(read(p[0], back, 1));
  done();
}
