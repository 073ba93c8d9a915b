// Abstract: a shared file mapping that is made read-only and opened by mprotect later is written once each.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(ftruncate(fd, 4096) == 0);
  volatile int *count = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  check(count != MAP_FAILED);
  say("%d\n", *count);
  check(mprotect((void *)count, 4096, PROT_READ | PROT_WRITE) == 0);
  for (int i = 0; i < 1000; i++) ++*count;
  say("%d\n", *count);
  int stored = 0;
  check(pread(fd, &stored, sizeof stored, 0) == (ssize_t)sizeof stored);
  say("%d\n", stored);
  done();
}
