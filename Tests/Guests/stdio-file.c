// Abstract: fread, fwrite, fseek, ftell, ungetc, fgets, fprintf and fscanf on a file.
#include "guest.h"

int main(void) {
  FILE *f = fopen("f", "w+");
  for (int i = 0; i < 1000; i++) fprintf(f, "%d:%d\n", i, i * i);
  say("%ld\n", ftell(f));
  show(fseek(f, 0, SEEK_SET));
  int a, b, n = 0;
  while (fscanf(f, "%d:%d\n", &a, &b) == 2) n += b == a * a;
  say("%d, end %d\n", n, feof(f));
  rewind(f);
  int c = fgetc(f);
  show(ungetc('X', f));
  char line[32];
  say("%c %s", c, fgets(line, sizeof line, f));
  static char big[50000], back[50000];
  fill(big, sizeof big, 61);
  show(fseek(f, 12345, SEEK_SET));
  show(fwrite(big, 1, sizeof big, f));
  show(fseek(f, -(long)sizeof big, SEEK_CUR));
  show(fread(back, 100, 500, f));
  check(!memcmp(big, back, sizeof big));
  show(fread(back, 1, 1, f));
  clearerr(f);
  say("%d %d\n", feof(f), ferror(f));
  show(fclose(f));
  f = fopen("f", "a");
  fputs("tail", f);
  show(ftell(f));
  show(fclose(f));
  show(fopen("none", "r") != NULL);
  f = freopen("f", "r", stdin);
  say("%d %s", fileno(f), fgets(line, sizeof line, f));
  done();
}
