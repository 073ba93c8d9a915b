// Abstract: kill(0) reaches the caller and its children.
// Protect: 0
#include "guest.h"

static volatile int hits;
static void handler(int sig) { hits += sig == SIGUSR1; }
int main(void) {
  int p[2];
  char b;
  check(setpgid(0, 0) == 0 || errno == EPERM);
  sigset_t s, before;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, &before);
  signal(SIGUSR1, handler);
  check(pipe(p) == 0);
  pid_t c[3];
  for (int i = 0; i < 3; i++)
    if ((c[i] = fork()) == 0) {
      check(write(p[1], "r", 1) == 1);
      while (!hits) sigsuspend(&before);
      _exit(30 + hits);
    }
  for (int i = 0; i < 3; i++) check(read(p[0], &b, 1) == 1);
  show(kill(0, SIGUSR1));
  while (!hits) sigsuspend(&before);
  say("hits %d\n", hits);
  for (int i = 0; i < 3; i++) show_end("child", c[i]);
  done();
}
