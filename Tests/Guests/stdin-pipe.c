// Abstract: a standard input that is a pipe is read to its end byte by byte.
// Pipe: some words through a pipe\nand a second line\n
#include "guest.h"

int main(void) {
  char c;
  int n = 0, words = 0, in = 0;
  while (read(0, &c, 1) == 1) {
    n++;
    if (c == ' ' || c == '\n') in = 0;
    else if (!in) in = 1, words++;
  }
  say("%d bytes, %d words\n", n, words);
  show(lseek(0, 0, SEEK_CUR));
  show(read(0, &c, 1));
  done();
}
