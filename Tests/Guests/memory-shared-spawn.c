// Abstract: a program that has mapped a file shared runs another program.
// Ends: exit 0
#include "guest.h"
#include <spawn.h>
#include <sys/mman.h>

extern char **environ;
int main(void) {
  int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check(ftruncate(fd, 4096) == 0);
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(m != MAP_FAILED);
  for (int i = 0; i < 3; i++) {
    sprintf(m, "round %d\n", i);
    char *argv[] = {"head", "-n1", "f", NULL};
    pid_t pid;
    check(posix_spawnp(&pid, "head", NULL, NULL, argv, environ) == 0);
    show_end("head", pid);
    check(system("tail -c 1 f | od -An -tx1") == 0);
  }
  m[0] = 'R';
  execlp("head", "head", "-n1", "f", NULL);
}
