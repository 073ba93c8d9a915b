// Abstract: extended attributes are set, listed and removed, or refused as natively.
#include "guest.h"
#include <sys/xattr.h>

int main(void) {
  char b[64] = "";
  make_file("f", "x");
  show(setxattr("f", "user.one", "value", 5, 0));
  show(getxattr("f", "user.one", b, sizeof b));
  say("%s\n", b);
  show(setxattr("f", "user.one", "v", 1, XATTR_CREATE));
  show(listxattr("f", b, sizeof b));
  int fd = open("f", O_RDONLY);
  show(fgetxattr(fd, "user.none", b, sizeof b));
  show(fremovexattr(fd, "user.one"));
  show(flistxattr(fd, b, sizeof b));
  done();
}
