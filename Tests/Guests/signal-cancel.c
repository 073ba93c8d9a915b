// Abstract: SIGCONT takes pending stop signals away, and these take it away, whoever sends them.
#include "guest.h"

static void pending(const char *when) {
  sigset_t s;
  check(sigpending(&s) == 0);
  say("%s: CONT %d TSTP %d TTIN %d TTOU %d\n", when, sigismember(&s, SIGCONT), sigismember(&s, SIGTSTP),
      sigismember(&s, SIGTTIN), sigismember(&s, SIGTTOU));
}
static void from_child(int signo, int then) {
  pid_t parent = getpid(), c = fork();
  if (c == 0) _exit(kill(parent, signo) || (then && kill(parent, then)) || kill(parent, SIGVTALRM));
  int st, got;
  check(waitpid(c, &st, 0) == c && st == 0);
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGVTALRM); // what was sent before it, of lower numbers, is there
  check(sigwait(&s, &got) == 0);
}
int main(void) {
  sigset_t s;
  int all[] = {SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGVTALRM};
  sigemptyset(&s);
  for (int i = 0; i < 5; i++) sigaddset(&s, all[i]);
  check(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
  raise(SIGTSTP), raise(SIGTTIN), raise(SIGTTOU);
  pending("own stops");
  raise(SIGCONT);
  pending("own CONT");
  raise(SIGTTIN);
  pending("own TTIN");
  from_child(SIGCONT, 0);
  pending("CONT from a child");
  from_child(SIGTSTP, SIGTTOU);
  pending("stops from a child");
  raise(SIGCONT);
  pending("own CONT again");
  check(kill(getpid(), SIGTSTP) == 0);
  pending("own TSTP");
  done();
}
