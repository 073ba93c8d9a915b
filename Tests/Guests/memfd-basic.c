// Abstract: memfd with seals refuses what is sealed.
// Collapse: yes
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int m = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  show(write(m, "contents", 8));
  show(ftruncate(m, 4096));
  show(fcntl(m, F_GET_SEALS));
  show(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
  show(write(m, "x", 1));
  show(ftruncate(m, 1));
  show(ftruncate(m, 8192));
  char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, m, 0);
  check(p != MAP_FAILED);
  say("%s\n", p);
  check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  done();
}
