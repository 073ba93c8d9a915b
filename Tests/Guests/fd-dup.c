// Abstract: dup, dup2, dup3 and F_DUPFD give the lowest or the asked number and share the offset.
#include "guest.h"

int main(void) {
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  show(dup(fd));
  show(dup2(fd, 10));
  show(dup3(fd, 11, O_CLOEXEC));
  show(dup3(fd, fd, 0));
  show(dup2(fd, fd));
  show(dup2(99, 12));
  show(dup(99));
  show(fcntl(fd, F_DUPFD, 20));
  show(fcntl(fd, F_DUPFD_CLOEXEC, 20));
  show(fcntl(fd, F_DUPFD, 1 << 30));
  show(fcntl(10, F_GETFD));
  show(fcntl(11, F_GETFD));
  show(fcntl(21, F_GETFD));
  show(write(4, "abc", 3));
  show(write(10, "def", 3));
  show(lseek(fd, 0, SEEK_CUR));
  show(close(fd));
  show(write(20, "ghi", 3));
  show(dup(4));
  show_file("f");
  done();
}
