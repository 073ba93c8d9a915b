// Abstract: pread, pwrite, preadv, pwritev leave the file offset alone.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  char a[8] = "", b[8] = "";
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  show(pwrite(fd, "0123456789", 10, 5));
  show(pread(fd, a, 4, 7));
  say("%s\n", a);
  struct iovec w[2] = {{"ab", 2}, {"cde", 3}};
  show(pwritev(fd, w, 2, 0));
  struct iovec r[2] = {{a, 3}, {b, 4}};
  show(preadv(fd, r, 2, 1));
  say("%.3s %.4s\n", a, b);
  show(preadv2(fd, r, 2, 0, 0));
  show(pwritev2(fd, w, 2, 20, 0));
  show(lseek(fd, 0, SEEK_CUR));
  show(pread(fd, a, 4, 1000));
  show(pread(fd, a, 4, -1));
  show(lseek(fd, 0, SEEK_END));
  done();
}
