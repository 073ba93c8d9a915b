// Abstract: a mapped file grows and shrinks under its mapping; beyond its end there is SIGBUS.
#include "guest.h"
#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf back;
static void bus(int s, siginfo_t *info, void *context) {
  (void)s, (void)context;
  siglongjmp(back, info->si_code == BUS_ADRERR ? 1 : 2);
}
static char *m;
static void touch(const char *what, long at, int store) {
  int why = sigsetjmp(back, 1);
  if (why) {
    say("%s at %ld: SIGBUS %d\n", what, at, why);
    return;
  }
  if (store) m[at] = 'x';
  say("%s at %ld: %d\n", what, at, ((volatile char *)m)[at]);
}
int main(void) {
  struct sigaction act = {.sa_sigaction = bus, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &act, NULL);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(write(fd, "hello", 5) == 5);
  m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(m != MAP_FAILED);
  touch("first", 0, 0);
  touch("in the last page", 4000, 1);
  touch("beyond", 4096, 0);
  touch("beyond", 40000, 1);
  check(ftruncate(fd, 12288) == 0);
  touch("grown", 8192, 0);
  touch("grown", 12000, 1);
  touch("beyond", 12288, 1);
  check(ftruncate(fd, 4100) == 0);
  touch("shrunk", 4099, 1);
  touch("beyond", 8192, 0);
  check(ftruncate(fd, 20000) == 0);
  touch("zero again", 12000, 0);
  touch("kept", 4099, 0);
  check(pwrite(fd, "end", 3, 65530) == 3);
  touch("extended by a write", 65531, 0);
  check(lseek(fd, 0, SEEK_END) == 65533);
  check(write(fd, "xyz", 3) == 3);
  touch("extended by a write", 65534, 0);
  check(truncate("f", 100) == 0);
  touch("cut by name", 4000, 0);
  touch("cut by name", 4096, 0);
  check(fallocate(fd, 0, 0, 9000) == 0);
  touch("allocated", 8999, 0);
  int again = open("f", O_RDWR | O_TRUNC);
  touch("cut by open", 0, 0);
  check(write(again, "new", 3) == 3);
  touch("new", 1, 0);
  check(munmap(m, 65536) == 0);
  show_file("f");
  done();
}
