// Abstract: SIGCHLD says how a child ended, was stopped and continued; SA_NOCLDSTOP and SA_NOCLDWAIT leave some out.
#include "guest.h"

static volatile int news;
static siginfo_t last;
static void handler(int s, siginfo_t *i, void *c) {
  (void)s, (void)c;
  last = *i;
  news++;
}
static sigset_t none;
static void await(int seen) {
  while (news == seen) sigsuspend(&none);
}
static pid_t child(int kind) {
  pid_t pid = fork();
  if (pid) return pid;
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (kind == 0) _exit(5);
  if (kind == 1) kill(getpid(), SIGKILL);
  if (kind == 2) kill(getpid(), SIGTERM);
  for (;;) pause();
}
static void tell(const char *what, pid_t pid) {
  say("%s: code %d status %d it %d\n", what, last.si_code, last.si_status, last.si_pid == pid);
}
int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigset_t s;
  sigemptyset(&none);
  sigemptyset(&s);
  sigaddset(&s, SIGCHLD);
  sigprocmask(SIG_BLOCK, &s, NULL);
  sigaction(SIGCHLD, &a, NULL);
  int st;
  for (int kind = 0; kind < 3; kind++) {
    int seen = news;
    pid_t pid = child(kind);
    await(seen);
    tell("ended", pid);
    check(waitpid(pid, &st, 0) == pid);
  }
  pid_t pid = child(3);
  int seen = news;
  kill(pid, SIGSTOP);
  await(seen);
  tell("stopped", pid);
  check(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st));
  seen = news;
  kill(pid, SIGCONT);
  await(seen);
  tell("continued", pid);
  check(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
  a.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &a, NULL);
  seen = news;
  kill(pid, SIGSTOP);
  check(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st));
  kill(pid, SIGCONT);
  check(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
  say("told of stops: %d\n", news - seen);
  kill(pid, SIGKILL);
  await(seen);
  tell("killed", pid);
  show_end("child", pid);
  a.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
  sigaction(SIGCHLD, &a, NULL);
  seen = news;
  pid = child(0);
  await(seen);
  tell("ended", pid);
  show(waitpid(-1, &st, 0));
  done();
}
