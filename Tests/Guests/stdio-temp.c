// Abstract: tmpfile, mkstemp, mkdtemp, fmemopen and open_memstream.
#include "guest.h"

int main(void) {
  FILE *t = tmpfile();
  fputs("temporary", t);
  rewind(t);
  char b[32], name[] = "tXXXXXX", other[] = "tXXXXXX", dir[] = "dXXXXXX";
  say("%s\n", fgets(b, sizeof b, t));
  int fd = mkstemp(name), fe = mkstemp(other);
  say("%d %d %d %zu\n", fd >= 0, fe >= 0, strcmp(name, other) != 0, strlen(name));
  struct stat s;
  check(fstat(fd, &s) == 0);
  say("%o\n", s.st_mode);
  check(unlink(name) == 0 && unlink(other) == 0);
  check(mkdtemp(dir) && rmdir(dir) == 0);
  FILE *m = fmemopen("12 34 56", 8, "r");
  int x, sum = 0;
  while (fscanf(m, "%d", &x) == 1) sum += x;
  say("%d\n", sum);
  char *text;
  size_t size;
  FILE *w = open_memstream(&text, &size);
  for (int i = 0; i < 100; i++) fprintf(w, "%d,", i);
  fclose(w);
  say("%zu %.10s\n", size, text);
  done();
}
