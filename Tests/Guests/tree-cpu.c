// Abstract: a child that computes takes its signals.
// Protect: 0
#include "guest.h"

static volatile int hits;
static void handler(int sig) { hits = sig; }
int main(void) {
  int p[2];
  char b;
  check(pipe(p) == 0);
  pid_t c = fork();
  if (c == 0) {
    signal(SIGUSR1, handler);
    check(write(p[1], "r", 1) == 1);
    volatile long n = 0;
    while (!hits) n++;
    _exit(hits == SIGUSR1 ? 3 : 4);
  }
  check(read(p[0], &b, 1) == 1);
  pause_ms(20);
  show(kill(c, SIGUSR1));
  show_end("child", c);
  done();
}
