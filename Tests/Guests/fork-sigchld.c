// Abstract: SIGCHLD comes with the child's pid and status; ignored, children vanish by themselves.
#include "guest.h"

static volatile int hits, pid, status, code;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  hits += sig == SIGCHLD;
  pid = i->si_pid, status = i->si_status, code = i->si_code;
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGCHLD, &a, NULL);
  sigset_t s, old;
  sigemptyset(&s);
  sigaddset(&s, SIGCHLD);
  sigprocmask(SIG_BLOCK, &s, &old);
  pid_t c = fork();
  if (c == 0) _exit(11);
  while (!hits) sigsuspend(&old);
  say("%d %d %d\n", pid == c, status, code);
  show_end("child", c);
  signal(SIGCHLD, SIG_IGN);
  c = fork();
  if (c == 0) _exit(0);
  int st;
  show(waitpid(c, &st, 0));
  done();
}
