// Abstract: a named pipe opened both ways by one process.
#include "guest.h"

int main(void) {
  char b[16] = "";
  show(mkfifo("p", 0644));
  show(mkfifo("p", 0644));
  show(open("p", O_WRONLY | O_NONBLOCK));
  show(open("p", O_RDONLY | O_NONBLOCK));
  show(read(3, b, sizeof b));
  show(open("p", O_WRONLY | O_NONBLOCK));
  show(read(3, b, sizeof b));
  show(write(4, "through", 7));
  show(read(3, b, sizeof b));
  say("%s\n", b);
  show(close(4));
  show(read(3, b, sizeof b));
  struct stat s;
  check(fstat(3, &s) == 0);
  say("fifo %d\n", S_ISFIFO(s.st_mode));
  done();
}
