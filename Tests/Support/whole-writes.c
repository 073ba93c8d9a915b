// whole-writes write|pwrite|writev|pwritev - writes pieces to a file for ever, looks whether they are there, and says so in a
// numbered line each. Ends with status 3 when less was written than given, which the kernel does to nobody whose disk is
// not full, and 4 when the file holds something else.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned char piece[1 << 20], there[sizeof piece];

int main(int argc, char **argv) {
  const char *call = argc > 1 ? argv[1] : "write";
  char name[] = "/tmp/whole-writes-XXXXXX";
  int file = mkstemp(name), moves = call[0] == 'w';
  if (file < 0 || unlink(name) != 0) return 1;
  for (unsigned round = 0;; round++) {
    size_t size = sizeof piece - round * 31 % 5000, from = round * 7919 % 100000;
    for (size_t k = 0; k < size; k += 64) piece[k] = (unsigned char)(round + k / 64);
    struct iovec two[2] = {{piece, 1000}, {piece + 1000, size - 1000}};
    ssize_t n;
    if (ftruncate(file, 0) != 0 || (moves && lseek(file, (off_t)from, SEEK_SET) < 0)) return 1;
    if (!strcmp(call, "write")) n = write(file, piece, size);
    else if (!strcmp(call, "pwrite")) n = pwrite(file, piece, size, (off_t)from);
    else if (!strcmp(call, "writev")) n = writev(file, two, 2);
    else n = pwritev(file, two, 2, (off_t)from);
    if (n != (ssize_t)size) return fprintf(stderr, "%zd of %zu bytes\n", n, size), 3;
    if (pread(file, there, size, (off_t)from) != (ssize_t)size || memcmp(piece, there, size)) return 4;
    printf("%u\n", round);
    fflush(stdout);
  }
}
