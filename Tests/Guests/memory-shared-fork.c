// Abstract: parent and child see what the other stores into memory that is mapped shared.
// Collapse: yes
#include "guest.h"
#include <sys/mman.h>

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(ftruncate(fd, 4096) == 0);
  int *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int *anonymous = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(file != MAP_FAILED && anonymous != MAP_FAILED);
  file[0] = 11, anonymous[0] = 12, anonymous[1024] = 13;
  check(access(".", F_OK) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    say("child: %d %d %d\n", file[0], anonymous[0], anonymous[1024]);
    file[1] = 21, anonymous[1] = 22;
    _exit(0);
  }
  show_end("child", pid);
  say("parent: %d %d\n", file[1], anonymous[1]);
  int *later = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid = fork();
  if (pid == 0) _exit(*later = 5);
  show_end("child", pid);
  say("parent: %d\n", *later);
  done();
}
