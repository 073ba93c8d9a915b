// stores FILE ROUNDS: stores into a file that it has mapped shared, changes it by calls as well, and says at times
// what is in it. It depends on all that was stored before: a store that is lost or made twice shows at the end.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (1u << 20)
static uint64_t state = 88172645463325252ull;
static uint32_t number(uint32_t below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}
static void must(int so, const char *what) {
  if (so) return;
  perror(what);
  exit(1);
}
static void say(int round, const unsigned char *m) {
  uint64_t h = 14695981039346656037ull;
  for (uint32_t i = 0; i < BYTES; i++) h = (h ^ m[i]) * 1099511628211ull;
  char text[64];
  int n = snprintf(text, sizeof text, "%d %016lx\n", round, h);
  must(write(1, text, n) == n, "write");
}
static unsigned char *map(int fd) {
  unsigned char *m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(m != MAP_FAILED, "mmap");
  return m;
}

int main(int count, char **argument) {
  must(count == 3, "arguments");
  int fd = open(argument[1], O_RDWR | O_CREAT | O_TRUNC, 0644), rounds = atoi(argument[2]);
  must(fd >= 0 && ftruncate(fd, BYTES) == 0, argument[1]);
  unsigned char *m = map(fd);
  for (int r = 0; r < rounds; r++) {
    for (uint32_t i = 0; i < 20000; i++) {
      uint32_t at = number(BYTES);
      m[at] += m[(at * 7 + i) % BYTES] + 1;
    }
    char bytes[64];
    uint32_t at = number(BYTES - 64);
    struct stat status;
    switch (r % 32) {
    case 0: case 8: case 16: case 24:
      memset(bytes, r, 64);
      must(pwrite(fd, bytes, 64, at) == 64, "pwrite");
      break;
    case 1: case 9: case 17: case 25:
      must(pread(fd, bytes, 64, at) == 64, "pread");
      for (int i = 0; i < 64; i++) m[i] += bytes[i];
      break;
    case 2: case 18:
      must(msync(m, BYTES, MS_ASYNC) == 0, "msync");
      break;
    case 3: case 11: case 19: case 27:
      must(lseek(fd, at, SEEK_SET) == at && write(fd, m, 64) == 64, "write");
      break;
    case 4:
      must(ftruncate(fd, BYTES / 2) == 0 && ftruncate(fd, BYTES) == 0, "ftruncate");
      break;
    case 6:
      must(munmap(m, BYTES) == 0, "munmap");
      m = map(fd);
      break;
    case 7:
      m = mremap(m, BYTES, BYTES / 2, MREMAP_MAYMOVE);
      m = mremap(m, BYTES / 2, BYTES, MREMAP_MAYMOVE);
      must(m != MAP_FAILED, "mremap");
      break;
    default:
      must(fstat(fd, &status) == 0, "fstat");
      m[1] += (unsigned char)(status.st_size >> 20);
    }
    if (r % 100 == 0) say(r, m);
  }
  say(rounds, m);
  return 0;
}
