// Abstract: a parent and its children count in shared memory.
// Protect: 0
// Collapse: yes
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(n != MAP_FAILED);
  pid_t c[3];
  for (int i = 0; i < 3; i++)
    if ((c[i] = fork()) == 0) {
      for (int k = 0; k < 1000; k++) {
        __atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST);
        if (k % 100 == 0) getppid();
      }
      _exit(0);
    }
  for (int i = 0; i < 3; i++) show_end("child", c[i]);
  say("%d\n", *n);
  done();
}
