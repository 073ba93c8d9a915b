// Abstract: a child has its parent's handlers and mask, and none of what is pending.
#include "guest.h"

static void handler(int s) { say("handler %d in the %s\n", s, getenv("WHO")); }
int main(void) {
  setenv("WHO", "parent", 1);
  signal(SIGUSR1, handler);
  signal(SIGUSR2, handler);
  sigset_t s, now, pending;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, NULL);
  raise(SIGUSR1);
  alarm(100);
  pid_t pid = fork();
  if (pid == 0) {
    setenv("WHO", "child", 1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    sigpending(&pending);
    say("child: blocked %d pending %d alarm %u\n", sigismember(&now, SIGUSR1), sigismember(&pending, SIGUSR1), alarm(0));
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    _exit(0);
  }
  show_end("child", pid);
  check(alarm(0) > 50);
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  done();
}
