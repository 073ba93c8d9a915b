// Abstract: a child maps a file of its own, shared and writable.
// Protect: 100
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    make_file("m", "0123456789");
    int fd = open("m", O_RDWR);
    char *m = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(m != MAP_FAILED);
    for (int i = 0; i < 5; i++) {
      m[i] = 'a' + i;
      pause_ms(5);
    }
    check(msync(m, 10, MS_SYNC) == 0 && munmap(m, 10) == 0);
    show_file("m");
    _exit(0);
  }
  show_end("child", c);
  show_file("m");
  done();
}
