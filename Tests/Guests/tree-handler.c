// Abstract: a child made by a handler, and one that lives in a handler for long.
// Protect: 20
#include "guest.h"
#include <setjmp.h>

static volatile pid_t made;
static sigjmp_buf out;
static void forks(int sig) {
  (void)sig;
  made = fork();
  pause_ms(made ? 1 : 40);
}
static void stays(int sig) {
  (void)sig;
  pause_ms(60);
  siglongjmp(out, 1);
}
int main(void) {
  sigset_t s;
  signal(SIGUSR1, forks);
  raise(SIGUSR1);
  pid_t parent = made;
  if (!parent) {
    pause_ms(40);
    signal(SIGUSR2, stays);
    if (!sigsetjmp(out, 1)) raise(SIGUSR2);
    sigprocmask(SIG_BLOCK, NULL, &s);
    say("blocked %d %d\n", sigismember(&s, SIGUSR1), sigismember(&s, SIGUSR2));
    for (int i = 0; i < 3; i++) pause_ms(10);
    signal(SIGUSR1, SIG_DFL);
    raise(SIGUSR1);
    _exit(1);
  }
  show_end("child", parent);
  done();
}
