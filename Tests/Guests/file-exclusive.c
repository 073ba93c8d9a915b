// Abstract: O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW and O_CREAT's mode under a umask.
#include "guest.h"

int main(void) {
  show(umask(027));
  show(open("f", O_WRONLY | O_CREAT | O_EXCL, 0666));
  show(open("f", O_WRONLY | O_CREAT | O_EXCL, 0666));
  struct stat s;
  show(stat("f", &s));
  say("mode %o\n", s.st_mode);
  show(write(3, "text", 4));
  show(open("f", O_WRONLY | O_TRUNC));
  show(stat("f", &s));
  say("size %ld\n", (long)s.st_size);
  show(open("f", O_RDONLY | O_DIRECTORY));
  show(symlink("f", "l"));
  show(open("l", O_RDONLY | O_NOFOLLOW));
  show(open("l", O_RDONLY));
  show(open("none", O_RDONLY));
  show(mkdir("d", 0777));
  show(stat("d", &s));
  say("mode %o\n", s.st_mode);
  show(creat("d", 0600));
  show(umask(0));
  done();
}
