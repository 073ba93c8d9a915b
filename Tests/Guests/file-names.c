// Abstract: rename, link, symlink, readlink, unlink and their errors.
#include "guest.h"

int main(void) {
  char b[64] = "";
  struct stat s;
  make_file("a", "A");
  make_file("b", "B");
  show(rename("a", "c"));
  show(rename("a", "d"));
  show(rename("c", "b"));
  show_file("b");
  show(link("b", "hard"));
  show(stat("b", &s));
  say("links %ld\n", (long)s.st_nlink);
  show(link("b", "hard"));
  show(symlink("b", "soft"));
  show(symlink("b", "soft"));
  show(readlink("soft", b, sizeof b));
  say("-> %s\n", b);
  show(readlink("b", b, sizeof b));
  show(readlink("soft", b, 0));
  show(lstat("soft", &s));
  say("link %d size %ld\n", S_ISLNK(s.st_mode), (long)s.st_size);
  show(unlink("hard"));
  show(unlink("hard"));
  show(symlink("self", "self"));
  show(open("self", O_RDONLY));
  show(symlink("nowhere", "dangling"));
  show(access("dangling", F_OK));
  show(renameat2(AT_FDCWD, "b", AT_FDCWD, "soft", RENAME_NOREPLACE));
  show(renameat2(AT_FDCWD, "b", AT_FDCWD, "soft", RENAME_EXCHANGE));
  show(readlink("b", b, sizeof b));
  show(linkat(AT_FDCWD, "b", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
  show(unlink("soft"));
  show(remove("b"));
  done();
}
