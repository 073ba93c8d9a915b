// Abstract: a pseudo terminal of our own: attributes, size, echo, line editing, raw mode.
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
  int m, s;
  char b[64] = "";
  struct winsize w = {10, 20, 0, 0}, v;
  struct termios t;
  check(openpty(&m, &s, NULL, NULL, &w) == 0);
  say("%d %d tty %d %d\n", m, s, isatty(m), isatty(s));
  show(ioctl(s, TIOCGWINSZ, &v));
  say("%d %d\n", v.ws_row, v.ws_col);
  show(write(m, "typed\n", 6));
  show(read(s, b, sizeof b));
  say("%s", b);
  memset(b, 0, sizeof b);
  show(read(m, b, sizeof b));
  show(write(s, "shown\n", 6));
  memset(b, 0, sizeof b);
  show(read(m, b, sizeof b));
  show(write(m, "wrong\177\177ite\n", 11));
  memset(b, 0, sizeof b);
  show(read(s, b, sizeof b));
  say("%s", b);
  show(tcgetattr(s, &t));
  say("%#x %#x\n", t.c_lflag & (ICANON | ECHO), t.c_oflag & OPOST);
  show(tcflush(s, TCIOFLUSH));
  cfmakeraw(&t);
  show(tcsetattr(s, TCSANOW, &t));
  show(write(m, "r", 1));
  show(read(s, b, sizeof b));
  show(tcgetattr(1, &t));
  show(isatty(0));
  say("%s\n", strerrorname_np(errno));
  show(close(s));
  fcntl(m, F_SETFL, O_NONBLOCK);
  show(read(m, b, sizeof b));
  done();
}
