// whole-reads read|pread|readv|preadv [cold] - reads pieces of a file of 128 KB for ever and says so in a numbered line each.
// Ends with status 3 when a piece is shorter than asked for, which the kernel does to nobody here, and 4 when it is not the
// file's. cold: the end of each piece has to come from the disk.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned char content[128 << 10], piece[64 << 10];

int main(int argc, char **argv) {
  char name[] = "/tmp/whole-reads-XXXXXX";
  const char *call = argc > 1 ? argv[1] : "read";
  int file = mkstemp(name), moves = call[0] == 'r', cold = argc > 2;
  if (file < 0 || unlink(name) != 0) return 1;
  for (unsigned k = 0; k < sizeof content; k++) content[k] = (unsigned char)(k * 2654435761u >> 13);
  if (write(file, content, sizeof content) != sizeof content) return 1;
  // The file in small pages of the kernel, as what is written stays in large ones.
  if (cold && (fsync(file) != 0 || posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM) || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)))
    return 1;
  for (unsigned round = 0;; round++) {
    size_t size = sizeof piece - round * 31 % 5000, from = round * 7919 % sizeof piece;
    if (moves && lseek(file, (off_t)from, SEEK_SET) < 0) return 1;
    if (cold && posix_fadvise(file, (off_t)((from + size - 1) / 4096 * 4096), 4096, POSIX_FADV_DONTNEED) != 0) return 1;
    struct iovec two[2] = {{piece, 1000}, {piece + 1000, size - 1000}};
    ssize_t n;
    if (!strcmp(call, "read")) n = read(file, piece, size);
    else if (!strcmp(call, "pread")) n = pread(file, piece, size, (off_t)from);
    else if (!strcmp(call, "readv")) n = readv(file, two, 2);
    else n = preadv(file, two, 2, (off_t)from);
    if (n != (ssize_t)size) return fprintf(stderr, "%zd of %zu bytes\n", n, size), 3;
    if (memcmp(piece, content + from, size)) return 4;
    printf("%u\n", round);
    fflush(stdout);
  }
}
