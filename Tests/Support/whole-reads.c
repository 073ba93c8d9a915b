// whole-reads read|pread - reads pieces of a file of 128 KB for ever and says so in a numbered line each. Ends with
// status 3 when a piece is shorter than asked for, which the kernel does to nobody here, and 4 when it is not the file's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char content[128 << 10], piece[64 << 10];

int main(int argc, char **argv) {
  char name[] = "/tmp/whole-reads-XXXXXX";
  int file = mkstemp(name), moves = argc > 1 && !strcmp(argv[1], "read");
  if (file < 0 || unlink(name) != 0) return 1;
  for (unsigned k = 0; k < sizeof content; k++) content[k] = (unsigned char)(k * 2654435761u >> 13);
  if (write(file, content, sizeof content) != sizeof content) return 1;
  for (unsigned round = 0;; round++) {
    size_t size = sizeof piece - round * 31 % 5000, from = round * 7919 % sizeof piece;
    if (moves && lseek(file, (off_t)from, SEEK_SET) < 0) return 1;
    ssize_t n = moves ? read(file, piece, size) : pread(file, piece, size, (off_t)from);
    if (n != (ssize_t)size) return fprintf(stderr, "%zd of %zu bytes\n", n, size), 3;
    if (memcmp(piece, content + from, size)) return 4;
    printf("%u\n", round);
    fflush(stdout);
  }
}
