// Abstract: RLIMIT_NOFILE is obeyed: EMFILE at the limit, and the lowest number again after a close.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  struct rlimit r = {64, 64};
  show(setrlimit(RLIMIT_NOFILE, &r));
  int fd, last = 0;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  say("last %d %s\n", last, strerrorname_np(errno));
  int p[2];
  show(pipe(p));
  show(dup(1));
  close(40);
  show(pipe(p));
  show(open("/dev/null", O_RDONLY));
  show(dup2(1, 64));
  show(dup2(1, 63));
  done();
}
