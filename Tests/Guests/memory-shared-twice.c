// Abstract: what is stored through one shared mapping of a file shows in another of the same part.
// Collapse: yes
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int fd = memfd_create("ring", 0);
  check(fd >= 0 && ftruncate(fd, 8192) == 0);
  char *ring = mmap(NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(mmap(ring, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == ring);
  check(mmap(ring + 8192, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == ring + 8192);
  strcpy(ring + 8186, "across the end");
  say("%s|%s\n", ring + 8186, ring + 2);
  ring[2] = '-';
  say("%s\n", ring + 8186);
  done();
}
