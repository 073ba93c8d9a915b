// Abstract: setvbuf's three modes, and what _exit throws away.
#include "guest.h"

int main(void) {
  FILE *n = fopen("none", "w"), *l = fopen("line", "w"), *f = fopen("full", "w");
  static char buffer[64];
  setvbuf(n, NULL, _IONBF, 0);
  setvbuf(l, NULL, _IOLBF, 0);
  setvbuf(f, buffer, _IOFBF, sizeof buffer);
  fputs("ab", n), fputs("one\ntwo", l), fputs("small", f);
  struct stat s;
  stat("none", &s), say("%ld ", (long)s.st_size);
  stat("line", &s), say("%ld ", (long)s.st_size);
  stat("full", &s), say("%ld\n", (long)s.st_size);
  for (int i = 0; i < 20; i++) fprintf(f, "%d ", i * 1000);
  stat("full", &s), say("%ld\n", (long)s.st_size);
  printf("never seen");
  done();
  _exit(0);
}
