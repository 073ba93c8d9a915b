// Abstract: a private file mapping shows the file, is copied on write, and outlives the descriptor.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  static char data[20000];
  fill(data, sizeof data, 41);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(write(fd, data, sizeof data) == sizeof data);
  char *m = mmap(NULL, sizeof data, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char *r = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096);
  check(m != MAP_FAILED && r != MAP_FAILED);
  show(close(fd));
  say("%016lx\n", hash(m, sizeof data));
  check(!memcmp(m, data, sizeof data) && !memcmp(r, data + 4096, 8192));
  memset(m, 'x', 100);
  fd = open("f", O_RDONLY);
  char b[100];
  show(read(fd, b, 100));
  check(!memcmp(b, data, 100));
  show(close(fd));
  show(munmap(m, sizeof data));
  show(munmap(r, 8192));
  fd = open("f", O_RDONLY);
  check(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  done();
}
