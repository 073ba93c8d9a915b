// Abstract: a writable shared anonymous mapping counts right in one process.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  uint32_t *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(m != MAP_FAILED);
  for (int i = 0; i < 100000; i++) {
    m[i % 1000]++;
    if (i % 1000 == 0) check(access(".", F_OK) == 0);
  }
  say("%u %u\n", m[0], m[999]);
  done();
}
