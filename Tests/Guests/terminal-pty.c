// Abstract: a pseudo terminal of our own: attributes, size, echo, line editing, raw mode.
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

// What the terminal shows comes in parts: reads exactly so many bytes of it.
static void shown(int fd, size_t size) {
  char b[64] = "";
  for (size_t n = 0; n < size;) {
    ssize_t r = read(fd, b + n, size - n);
    check(r > 0);
    n += r;
  }
  say("shown %016lx\n", hash(b, size));
}

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
  shown(m, 7);
  show(write(s, "output\n", 7));
  shown(m, 8);
  show(write(m, "wrong\177\177ite\n", 11));
  memset(b, 0, sizeof b);
  show(read(s, b, sizeof b));
  say("%s", b);
  shown(m, 16);
  show(tcgetattr(s, &t));
  say("%#x %#x\n", t.c_lflag & (ICANON | ECHO), t.c_oflag & OPOST);
  show(tcflush(s, TCIOFLUSH));
  cfmakeraw(&t);
  show(tcsetattr(s, TCSADRAIN, &t));
  show(write(m, "r", 1));
  show(read(s, b, sizeof b));
  show(tcgetattr(1, &t));
  show(isatty(0));
  say("%s\n", strerrorname_np(errno));
  show(close(s));
  show(read(m, b, sizeof b));
  done();
}
