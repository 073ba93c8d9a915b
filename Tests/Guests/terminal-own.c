// Abstract: standard input and output are a terminal, and it is the controlling one.
// Terminal: one line\nanother\n
#include "guest.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
  char b[64];
  struct termios t;
  struct winsize w;
  say("tty %d %d %d\n", isatty(0), isatty(1), isatty(2));
  say("%d\n", ttyname(0) != NULL);
  show(tcgetpgrp(0) == getpgrp());
  show(tcgetsid(0) == getsid(0));
  show(ioctl(0, TIOCGWINSZ, &w));
  say("%d %d\n", w.ws_row, w.ws_col);
  show(tcgetattr(0, &t));
  int fd = open("/dev/tty", O_RDWR);
  say("/dev/tty %d\n", fd);
  ssize_t n;
  while ((n = read(0, b, sizeof b)) > 0) say("%zd: %.*s", n, (int)n, b);
  say("end %zd\n", n);
  dprintf(fd, "by /dev/tty\n");
  char id[L_ctermid];
  say("%s\n", ctermid(id));
  done();
}
