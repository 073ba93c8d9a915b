// Abstract: madvise drops and keeps pages, mincore tells which are present, mlock is granted or refused.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  char *m = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char v[16];
  memset(m, 1, 16 * 4096);
  show(madvise(m, 8 * 4096, MADV_DONTNEED));
  say("%d %d\n", m[0], m[8 * 4096]);
  show(madvise(m, 16 * 4096, MADV_WILLNEED));
  show(madvise(m, 16 * 4096, MADV_SEQUENTIAL));
  show(madvise(m, 16 * 4096, 9999));
  show(madvise(m + 1, 4096, MADV_DONTNEED));
  show(mincore(m, 16 * 4096, v));
  say("%d %d\n", v[0] & 1, v[8] & 1);
  show(posix_madvise(m, 4096, POSIX_MADV_RANDOM));
  show(mlock(m, 4096));
  show(munlock(m, 4096));
  show(madvise(m, 4096, MADV_DONTFORK));
  show(madvise(m, 4096, MADV_FREE));
  done();
}
