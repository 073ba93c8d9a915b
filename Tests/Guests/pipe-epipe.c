// Abstract: writing to a pipe without reader is EPIPE when SIGPIPE is ignored, blocked or handled.
#include "guest.h"

static volatile sig_atomic_t hits;
static void handler(int sig) { hits += sig == SIGPIPE; }

int main(void) {
  int p[2];
  sigset_t s, pending;
  check(pipe(p) == 0 && close(p[0]) == 0);
  signal(SIGPIPE, SIG_IGN);
  show(write(p[1], "x", 1));
  signal(SIGPIPE, handler);
  show(write(p[1], "x", 1));
  say("handled %d\n", hits);
  sigemptyset(&s);
  sigaddset(&s, SIGPIPE);
  sigprocmask(SIG_BLOCK, &s, NULL);
  show(write(p[1], "x", 1));
  sigpending(&pending);
  say("handled %d pending %d\n", hits, sigismember(&pending, SIGPIPE));
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  say("handled %d\n", hits);
  done();
}
