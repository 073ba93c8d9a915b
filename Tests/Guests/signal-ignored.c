// Abstract: ignored signals are lost, blocked ones that become ignored too; SIGCONT and SIGTSTP take each other away.
#include "guest.h"

static int is_pending(int s) {
  sigset_t p;
  sigpending(&p);
  return sigismember(&p, s);
}
static void handler(int s) { say("handler %d\n", s); }
int main(void) {
  signal(SIGUSR1, SIG_IGN);
  raise(SIGUSR1);
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, NULL);
  raise(SIGUSR1);
  say("blocked and ignored: %d\n", is_pending(SIGUSR1));
  raise(SIGUSR2);
  say("%d\n", is_pending(SIGUSR2));
  signal(SIGUSR2, SIG_IGN);
  say("%d\n", is_pending(SIGUSR2));
  raise(SIGCHLD);
  say("%d\n", is_pending(SIGCHLD));
  signal(SIGCHLD, SIG_DFL);
  say("%d\n", is_pending(SIGCHLD));
  raise(SIGTSTP);
  say("stop %d\n", is_pending(SIGTSTP));
  signal(SIGTSTP, handler);
  say("stop %d\n", is_pending(SIGTSTP));
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  signal(SIGTSTP, SIG_IGN);
  raise(SIGTSTP);
  signal(SIGWINCH, SIG_DFL), signal(SIGURG, SIG_DFL);
  raise(SIGWINCH), raise(SIGURG), raise(SIGCONT);
  done();
}
