// Abstract: a buffer that ends at an unmapped page gives a part or EFAULT, as natively.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(m != MAP_FAILED && munmap(m + 4096, 4096) == 0);
  fill(m, 4096, 9);
  int fd = open("f", O_RDWR | O_CREAT, 0644), p[2];
  check(pipe(p) == 0);
  show(write(fd, m + 4000, 96));
  show(write(fd, m + 4096, 96));
  show(lseek(fd, 0, SEEK_END));
  show(pread(fd, m + 4096, 96, 0));
  show(write(p[1], m + 4000, 96));
  char b[200];
  show(read(p[0], b, sizeof b));
  check(!memcmp(b, m + 4000, 96));
  show(stat("f", (struct stat *)(m + 4090)));
  memcpy(m + 4092, "none", 4);
  show(open(m + 4092, O_RDONLY));
  const char *readonly = "constant";
  show(pread(fd, (char *)readonly, 4, 0));
  done();
}
