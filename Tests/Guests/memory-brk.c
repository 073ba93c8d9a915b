// Abstract: sbrk grows and shrinks the break.
#include "guest.h"

int main(void) {
  char *a = sbrk(0), *b = sbrk(100000);
  check(b == a);
  memset(b, 5, 100000);
  say("%ld\n", (long)((char *)sbrk(0) - a));
  check(sbrk(-50000) != (void *)-1);
  say("%ld\n", (long)((char *)sbrk(0) - a));
  say("%d\n", a[49999]);
  show(brk(a + 200000));
  say("%d %d\n", a[49999], a[199999]);
  show(brk(a));
  char *m = malloc(100);
  strcpy(m, "malloc still works");
  say("%s\n", m);
  done();
}
