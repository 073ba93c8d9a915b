// Abstract: an unlinked file lives as long as its descriptor.
#include "guest.h"

int main(void) {
  struct stat s;
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  show(write(fd, "still here", 10));
  show(unlink("f"));
  show(fstat(fd, &s));
  say("links %ld size %ld\n", (long)s.st_nlink, (long)s.st_size);
  char b[16] = "";
  show(pread(fd, b, 15, 0));
  say("%s\n", b);
  int t = open(".", O_TMPFILE | O_RDWR, 0600);
  show(t >= 0 ? write(t, "anonymous", 9) : 9);
  show(t >= 0 ? (int)lseek(t, 0, SEEK_END) : 9);
  done();
}
