// Abstract: a shared mapping that is only read shows what the program writes into the file, at once and not before.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(ftruncate(fd, 1 << 20) == 0);
  const volatile uint32_t *m = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
  check(m != MAP_FAILED);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < 3000; i++) {
    uint32_t at = i * 7919 % (1 << 18), before = m[at];
    check(pwrite(fd, &i, sizeof i, at * 4) == 4);
    check(m[at] == i);
    sum = sum * 31 + before + m[(at + 1) % (1 << 18)];
    if (i % 100 == 0) check(access(sum & 1 ? "." : "/", F_OK) == 0);
  }
  say("%016lx\n", sum);
  done();
}
