// Abstract: umask and working directory hold for later calls; a removed directory is noticed.
#include "guest.h"

int main(void) {
  char b[PATH_MAX];
  show(umask(077));
  show(umask(022));
  check(getcwd(b, sizeof b));
  say("%s\n", b);
  show(mkdir("gone", 0755));
  show(chdir("gone"));
  show(rmdir("../gone"));
  say("%d %s\n", getcwd(b, sizeof b) != NULL, strerrorname_np(errno));
  show(open("x", O_CREAT | O_WRONLY, 0644));
  show(chdir(".."));
  show(chdir("/"));
  say("%s\n", getcwd(b, sizeof b));
  show(chroot("/no/such"));
  done();
}
