// Abstract: anonymous mappings: zeroed, fixed, unmapped in the middle, unaligned arguments refused.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  size_t page = 4096;
  char *m = mmap(NULL, 10 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(m != MAP_FAILED);
  for (size_t i = 0; i < 10 * page; i += 100) check(m[i] == 0);
  memset(m, 7, 10 * page);
  show(munmap(m + 3 * page, page));
  char *f = mmap(m + 3 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  check(f == m + 3 * page && f[0] == 0 && f[-1] == 7 && f[page] == 7);
  f = mmap(m, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  say("no-replace %s\n", f == MAP_FAILED ? strerrorname_np(errno) : "mapped");
  show(munmap(m + 1, page));
  show(munmap(m, 10 * page));
  check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  check(mmap(NULL, page, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  char *big = mmap(NULL, 1ul << 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(big != MAP_FAILED);
  big[1ul << 31] = 1;
  show(munmap(big, 1ul << 32));
  done();
}
