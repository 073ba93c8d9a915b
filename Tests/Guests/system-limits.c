// Abstract: getrlimit, setrlimit, prlimit and getpriority, and what RLIMIT_FSIZE does to a write.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  struct rlimit r, old;
  for (int i = 0; i < 16; i++) {
    if (i == RLIMIT_NPROC || i == RLIMIT_SIGPENDING || i == RLIMIT_MEMLOCK) continue;
    check(getrlimit(i, &r) == 0);
    say("%d %ld %ld\n", i, (long)r.rlim_cur, (long)r.rlim_max);
  }
  show(getrlimit(99, &r));
  r = (struct rlimit){1000, 2000};
  show(prlimit(0, RLIMIT_FSIZE, &r, &old));
  show(getrlimit(RLIMIT_FSIZE, &r));
  say("%ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
  signal(SIGXFSZ, SIG_IGN);
  int fd = open("f", O_WRONLY | O_CREAT, 0644);
  static char b[1500];
  show(write(fd, b, sizeof b));
  show(write(fd, b, sizeof b));
  r.rlim_cur = 3000;
  show(setrlimit(RLIMIT_FSIZE, &r));
  show(getpriority(PRIO_PROCESS, 0));
  show(setpriority(PRIO_PROCESS, 0, 1));
  show(nice(0));
  done();
}
