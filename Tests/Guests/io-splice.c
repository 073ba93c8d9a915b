// Abstract: splice, tee and vmsplice move bytes between pipes and files.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  static char data[20000], back[20000];
  fill(data, sizeof data, 4);
  int f = open("f", O_RDWR | O_CREAT, 0644), g = open("g", O_RDWR | O_CREAT, 0644), a[2], b[2];
  check(write(f, data, sizeof data) == sizeof data && pipe(a) == 0 && pipe(b) == 0);
  loff_t at = 500, to = 100;
  show(splice(f, &at, a[1], NULL, 10000, 0));
  say("offset %ld\n", (long)at);
  show(tee(a[0], b[1], 8000, 0));
  show(read(b[0], back, sizeof back));
  check(!memcmp(back, data + 500, 8000));
  show(splice(a[0], NULL, g, &to, 10000, SPLICE_F_MOVE));
  say("offset %ld\n", (long)to);
  show(pread(g, back, sizeof back, 100));
  check(!memcmp(back, data + 500, 10000));
  struct iovec v = {data, 3000};
  show(vmsplice(a[1], &v, 1, 0));
  show(read(a[0], back, sizeof back));
  check(!memcmp(back, data, 3000));
  show(splice(a[0], NULL, g, NULL, 100, SPLICE_F_NONBLOCK));
  show(splice(f, NULL, g, NULL, 100, 0));
  show(tee(a[0], a[1], 10, 0));
  done();
}
