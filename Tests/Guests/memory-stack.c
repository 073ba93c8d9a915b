// Abstract: deep recursion and alloca grow the stack to 7 MB.
#include "guest.h"
#include <alloca.h>

static uint64_t deep(int n, volatile char *above) {
  volatile char *here = alloca(1000);
  here[0] = above[0] + 1;
  here[999] = (char)n;
  return n ? deep(n - 1, here) + (unsigned char)here[0] + (unsigned char)here[999] : 0;
}

int main(void) {
  volatile char start[1] = {0};
  say("%lu\n", deep(100, start));
  say("%lu\n", deep(6800, start));
  done();
}
