// Abstract: shared mappings of a file are cut, moved, enlarged, protected and given advice on.
#include "guest.h"
#include <sys/mman.h>

#define P 4096l
int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644), other = open("g", O_RDWR | O_CREAT, 0644);
  check(ftruncate(fd, 32 * P) == 0 && ftruncate(other, 8 * P) == 0);
  char *m = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(m != MAP_FAILED);
  for (int i = 0; i < 16; i++) sprintf(m + i * P, "page %d", i);
  close(fd); // the mapping keeps the file
  check(munmap(m + 4 * P, 2 * P) == 0);
  check(access(".", F_OK) == 0);
  say("%s, %s\n", m + 3 * P, m + 6 * P);
  check(mmap(m + 8 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + 8 * P);
  m[8 * P] = 'z';
  char *g = mmap(m + 9 * P, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, other, P);
  check(g == m + 9 * P);
  strcpy(g, "of the other file");
  check(mprotect(m + 12 * P, 2 * P, PROT_READ) == 0);
  say("%s\n", m + 12 * P);
  check(mprotect(m + 12 * P, P, PROT_READ | PROT_WRITE) == 0);
  strcpy(m + 12 * P, "writable again");
  for (int i = 0; i < 50; i++) {
    check(mprotect(m + i % 4 * P, P, i & 1 ? PROT_READ : PROT_NONE) == 0);
    check(mprotect(m, 4 * P, PROT_READ | PROT_WRITE) == 0);
    m[i % 4 * P + 100]++;
    check(access(".", F_OK) == 0);
  }
  say("%d %d\n", m[100], m[3 * P + 100]);
  // A whole piece is moved and enlarged.
  char *moved = mremap(m, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, 4 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  check(moved != MAP_FAILED && moved != m);
  say("%s, %s\n", moved, moved + 3 * P);
  strcpy(moved + P, "after the move");
  char *larger = mremap(g, 2 * P, 7 * P, MREMAP_MAYMOVE);
  check(larger != MAP_FAILED);
  strcpy(larger + 6 * P, "enlarged");
  char *smaller = mremap(larger, 7 * P, 7 * P, 0);
  check(smaller == larger && mremap(larger, 7 * P, 6 * P, 0) == larger);
  show(madvise(moved, 4 * P, MADV_DONTNEED));
  say("%s, %s\n", moved + P, moved + 2 * P);
  show(madvise(moved, P, MADV_FREE));
  show(madvise(moved, 4 * P, MADV_WILLNEED));
  show(msync(moved, 4 * P, MS_SYNC));
  int removed = madvise(moved + 2 * P, P, MADV_REMOVE);
  say("%d '%s'\n", removed, removed ? "" : moved + 2 * P);
  char *anonymous = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(anonymous + P, "anonymous");
  show(madvise(anonymous, 4 * P, MADV_DONTNEED));
  show(madvise(anonymous, 4 * P, MADV_FREE));
  say("%s\n", anonymous + P);
  anonymous = mremap(anonymous, 4 * P, 64 * P, MREMAP_MAYMOVE);
  say("%s\n", anonymous + P);
  show(madvise(anonymous, 4 * P, MADV_REMOVE));
  say("'%s'\n", anonymous + P);
  char text[32];
  fd = open("f", O_RDONLY);
  check(pread(fd, text, 32, 12 * P) == 32);
  say("%s\n", text);
  check(pread(fd, text, 32, P) == 32);
  say("%s\n", text);
  check(pread(other, text, 32, P) == 32);
  say("%s\n", text);
  check(pread(other, text, 32, 7 * P) == 32);
  say("%s\n", text);
  done();
}
