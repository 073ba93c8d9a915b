// Abstract: chmod, fchmod, fchmodat, chown to oneself, access.
#include "guest.h"

static void mode(const char *path) {
  struct stat s;
  check(stat(path, &s) == 0);
  say("%s %o\n", path, s.st_mode);
}

int main(void) {
  make_file("f", "x");
  show(chmod("f", 0751));
  mode("f");
  int fd = open("f", O_RDWR);
  show(fchmod(fd, 0640));
  mode("f");
  show(fchmodat(AT_FDCWD, "f", 04755, 0));
  mode("f");
  show(access("f", X_OK));
  show(chmod("f", 0600));
  show(access("f", R_OK | W_OK));
  show(access("f", X_OK));
  show(chown("f", getuid(), getgid()));
  show(fchown(fd, -1, -1));
  show(lchown("f", -1, -1));
  show(chmod("none", 0600));
  done();
}
