// Abstract: mkdir, rmdir, chdir, fchdir, getcwd and the *at calls.
#include "guest.h"

static const char *tail(void) {
  static char path[PATH_MAX];
  check(getcwd(path, sizeof path));
  return strrchr(path, '/') + 1;
}

int main(void) {
  char b[4];
  show(mkdir("d", 0755));
  show(mkdir("d", 0755));
  show(mkdir("x/y", 0755));
  int top = open(".", O_RDONLY | O_DIRECTORY);
  show(chdir("d"));
  say("in %s\n", tail());
  show(mkdirat(top, "e", 0700));
  int e = openat(top, "e", O_PATH);
  say("fd %d\n", e);
  show(openat(e, "f", O_CREAT | O_WRONLY, 0644));
  show(close(5));
  show(faccessat(top, "e/f", R_OK, 0));
  show(renameat(e, "f", top, "g"));
  show(access("../g", F_OK));
  show(fchdir(top));
  say("in %s\n", tail());
  show(rmdir("e"));
  show(chdir("e"));
  show(chdir("g"));
  show(rmdir("g"));
  show(unlinkat(top, "g", AT_REMOVEDIR));
  show(unlinkat(top, "g", 0));
  make_file("d/file", "x");
  show(rmdir("d"));
  show(unlink("d"));
  show(unlink("d/file"));
  show(rmdir("d"));
  errno = 0;
  say("short: %d ", getcwd(b, sizeof b) != NULL);
  say("%s\n", strerrorname_np(errno));
  done();
}
