// Abstract: readv and writev, with empty parts and with the most parts allowed.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  struct iovec v[4] = {{"one ", 4}, {NULL, 0}, {"two ", 4}, {"three\n", 6}};
  show(writev(fd, v, 4));
  show(writev(fd, v, 0));
  static struct iovec many[IOV_MAX];
  static char bytes[IOV_MAX];
  fill(bytes, sizeof bytes, 7);
  for (int i = 0; i < IOV_MAX; i++) many[i] = (struct iovec){bytes + i, 1};
  show(writev(fd, many, IOV_MAX));
  errno = 0;
  show(writev(fd, many, IOV_MAX + 1));
  show(lseek(fd, 0, SEEK_SET));
  char a[5] = "", b[10] = "";
  struct iovec r[2] = {{a, 4}, {b, 9}};
  show(readv(fd, r, 2));
  say("[%s] [%s]\n", a, b);
  static char back[IOV_MAX];
  show(lseek(fd, 14, SEEK_SET));
  for (int i = 0; i < IOV_MAX; i++) many[i].iov_base = back + i;
  show(readv(fd, many, IOV_MAX));
  check(!memcmp(back, bytes, IOV_MAX));
  done();
}
