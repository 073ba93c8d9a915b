// Abstract: a writable shared file mapping reaches the file, each change once.
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(ftruncate(fd, 8192) == 0);
  uint32_t *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(m != MAP_FAILED);
  for (int i = 0; i < 1000; i++) m[i & 15]++, m[100]++;
  show(msync(m, 8192, MS_SYNC));
  uint32_t v[101];
  show(pread(fd, v, sizeof v, 0));
  say("%u %u %u\n", v[0], v[15], v[100]);
  v[0] = 5000;
  show(pwrite(fd, v, 4, 0));
  say("%u\n", m[0]);
  __atomic_fetch_add(&m[1], 7, __ATOMIC_SEQ_CST);
  say("%u\n", m[1]);
  int ro = open("f", O_RDONLY);
  check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
  say("%s\n", strerrorname_np(errno));
  done();
}
