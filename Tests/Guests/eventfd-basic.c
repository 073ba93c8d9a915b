// Abstract: eventfd counts, as semaphore too, and blocks or refuses at its limits.
#include "guest.h"
#include <sys/eventfd.h>

int main(void) {
  uint64_t v = 5;
  int e = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  show(write(e, &v, 8));
  show(read(e, &v, 8));
  say("%lu\n", v);
  show(read(e, &v, 8));
  for (int i = 0; i < 3; i++) show(read(s, &v, 8));
  v = UINT64_MAX - 1;
  show(write(e, &v, 8));
  v = 1;
  show(write(e, &v, 8));
  v = UINT64_MAX;
  show(write(e, &v, 8));
  show(write(e, &v, 4));
  show(eventfd_read(e, &v));
  say("%lx\n", v);
  show(eventfd_write(e, 9));
  show(eventfd(0, 1 << 30));
  done();
}
