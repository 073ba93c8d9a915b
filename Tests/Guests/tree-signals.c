// Abstract: a parent ends its children by handled, unhandled and unblockable signals.
// Protect: 0
#include "guest.h"

static void handler(int sig) { _exit(sig + 50); }
int main(void) {
  int signals[] = {SIGTERM, SIGHUP, SIGKILL, SIGUSR2, SIGINT, SIGABRT};
  for (int i = 0; i < 6; i++) {
    int p[2];
    char b;
    check(pipe(p) == 0);
    pid_t c = fork();
    if (c == 0) {
      if (i % 2 == 0) signal(signals[i], handler);
      check(write(p[1], "r", 1) == 1);
      for (;;) pause();
    }
    check(read(p[0], &b, 1) == 1);
    show(kill(c, signals[i]));
    show_end("child", c);
    close(p[0]), close(p[1]);
  }
  done();
}
