// Abstract: mremap grows, moves and shrinks a mapping with its contents.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  char *m = mmap(NULL, 40960, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(m, 40960, 51);
  uint64_t before = hash(m, 40960);
  m = mremap(m, 40960, 4 << 20, MREMAP_MAYMOVE);
  check(m != MAP_FAILED && hash(m, 40960) == before && m[3 << 20] == 0);
  char *to = mmap(NULL, 8 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *n = mremap(m, 4 << 20, 4 << 20, MREMAP_MAYMOVE | MREMAP_FIXED, to + (1 << 20));
  check(n == to + (1 << 20) && hash(n, 40960) == before);
  n = mremap(n, 4 << 20, 40960, 0);
  check(n != MAP_FAILED && hash(n, 40960) == before);
  check(mremap((void *)(n + 1), 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  say("%016lx\n", before);
  done();
}
