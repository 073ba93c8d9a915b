// Abstract: a load beyond the end of a mapped file ends the program with SIGBUS.
// Ends: signal 7
#include "guest.h"
#include <sys/mman.h>
int main(void) {
  say("before\n");
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  volatile char *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  check(m != MAP_FAILED);
  char c = m[4096];
  say("%d\n", c);
  say("not reached\n");
  return 0;
}
