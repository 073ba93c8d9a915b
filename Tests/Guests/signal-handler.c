// Abstract: raise runs the handler before it returns, once per raise, also nested.
#include "guest.h"

static volatile int depth, deepest, count;
static void handler(int sig) {
  count++;
  if (++depth > deepest) deepest = depth;
  if (sig == SIGUSR1 && depth < 5) raise(SIGUSR2);
  if (sig == SIGUSR2 && depth < 5) raise(SIGUSR1);
  depth--;
}

int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_NODEFER};
  show(sigaction(SIGUSR1, &a, NULL));
  show(sigaction(SIGUSR2, &a, NULL));
  for (int i = 0; i < 10; i++) {
    int before = count;
    check(raise(SIGUSR1) == 0 && count > before);
  }
  say("%d, depth %d\n", count, deepest);
  check(kill(getpid(), SIGUSR1) == 0);
  say("%d\n", count);
  struct sigaction old;
  a.sa_flags = SA_RESETHAND;
  show(sigaction(SIGUSR1, &a, &old));
  say("%d %d\n", old.sa_handler == handler, (old.sa_flags & SA_NODEFER) != 0);
  depth = 5;
  show(raise(SIGUSR1));
  show(sigaction(SIGUSR1, NULL, &old));
  say("%d\n", old.sa_handler == SIG_DFL);
  show(sigaction(SIGKILL, &a, NULL));
  show(sigaction(99, &a, NULL));
  say("%d\n", signal(SIGUSR1, SIG_IGN) == SIG_DFL);
  show(raise(SIGUSR1));
  done();
}
