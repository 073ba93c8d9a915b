// Abstract: process group, session and user identity are consistent; kill(pid, 0) finds ourselves.
#include "guest.h"
#include <grp.h>

int main(void) {
  show(kill(getpid(), 0));
  show(getpgrp() == getpgid(0));
  show(getpgid(getpid()) == getpgrp());
  show(getsid(0) == getsid(getpid()));
  show(getpgrp() == getpid());
  uid_t r, e, s;
  check(getresuid(&r, &e, &s) == 0);
  show(r == getuid() && e == geteuid());
  show(setuid(getuid()));
  show(setgid(getgid()));
  gid_t groups[64];
  int n = getgroups(64, groups);
  check(n >= 0);
  say("%d groups\n", n);
  show(getpgid(999999));
  show(kill(999999, 0));
  show(kill(getpid(), 999));
  done();
}
