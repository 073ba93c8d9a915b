// Abstract: io_uring and kernel AIO are there or refused; a program falls back and works.
#include "guest.h"
#include <sys/syscall.h>

int main(void) {
  char params[256] = "";
  long ring = syscall(SYS_io_uring_setup, 4, params);
  check(ring >= 0 || errno == ENOSYS || errno == EPERM);
  unsigned long context = 0;
  long aio = syscall(SYS_io_setup, 4, &context);
  check(aio == 0 || errno == ENOSYS);
  make_file("f", "the fallback");
  show_file("f");
  done();
}
