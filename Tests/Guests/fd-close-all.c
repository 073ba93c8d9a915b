// Abstract: a daemon's habit of closing everything leaves a working program.
#include "guest.h"

int main(void) {
  for (int fd = 3; fd < 1024; fd++) close(fd);
  closefrom(3);
  show(close_range(3, ~0u, 0));
  show(open("f", O_RDWR | O_CREAT, 0644));
  show(write(3, "works", 5));
  show(close_range(3, 3, CLOSE_RANGE_CLOEXEC));
  show(fcntl(3, F_GETFD));
  show(close_range(5, 4, 0));
  close(0);
  close(2);
  show(open("f", O_RDONLY));
  show(open("f", O_RDONLY));
  show_file("f");
  done();
}
