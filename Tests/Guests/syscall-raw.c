// Abstract: calls made with syscall() and with the bare instruction behave like libc's.
#include "guest.h"
#include <sys/syscall.h>

static long bare(long n, long a, long b, long c) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return r;
}

int main(void) {
  show(syscall(SYS_open, "f", O_RDWR | O_CREAT, 0644));
  show(syscall(SYS_write, 3, "raw", 3));
  show(bare(SYS_write, 3, (long)" bare", 5));
  show(bare(SYS_write, 99, (long)"x", 1) == -EBADF);
  show(syscall(SYS_lseek, 3, 0, SEEK_CUR));
  show(bare(SYS_close, 3, 0, 0));
  show_file("f");
  struct timespec t;
  show(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
  show(bare(SYS_getpid, 0, 0, 0) == getpid());
  show(syscall(9999));
  show(syscall(SYS_gettid) == getpid());
  unsigned cpu;
  show(bare(SYS_getcpu, (long)&cpu, 0, 0));
  done();
}
