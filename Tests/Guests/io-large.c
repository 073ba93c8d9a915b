// Abstract: 8 MB go through one write and one read.
#include "guest.h"

int main(void) {
  size_t size = 8 << 20;
  char *a = malloc(size), *b = malloc(size);
  uint64_t *words = (uint64_t *)a;
  for (size_t i = 0; i < size / 8; i++) words[i] = i * 0x9e3779b97f4a7c15ull;
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  show(write(fd, a, size));
  show(pread(fd, b, size, 0));
  check(!memcmp(a, b, size));
  show(lseek(fd, 4096, SEEK_SET));
  memset(b, 0, size);
  show(read(fd, b, size));
  check(!memcmp(a + 4096, b, size - 4096));
  show(ftruncate(fd, 0));
  done();
}
