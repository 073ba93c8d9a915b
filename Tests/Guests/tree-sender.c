// Abstract: a signal names the process that has sent it, whatever call it has used, to a parent, a child and a group.
// Protect: 0
#include "guest.h"
#include <sys/syscall.h>

static void await(const char *what, pid_t from, uid_t uid, int signo, int code) {
  siginfo_t i;
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, signo);
  memset(&i, 0, sizeof i);
  check(syscall(SYS_rt_sigtimedwait, &s, &i, NULL, 8) == signo); // libc's hides SI_TKILL
  say("%s: pid %d uid %d code %d\n", what, i.si_pid == from, i.si_uid == uid, i.si_code == code);
}
static void send_all(pid_t to) {
  check(kill(to, SIGUSR1) == 0);
  check(syscall(SYS_tgkill, to, to, SIGUSR2) == 0);
  check(syscall(SYS_tkill, to, SIGURG) == 0);
  check(sigqueue(to, SIGRTMIN, (union sigval){.sival_int = 3}) == 0);
  int fd = (int)syscall(SYS_pidfd_open, to, 0);
  check(fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGWINCH, NULL, 0) == 0);
  check(close(fd) == 0);
}
static void await_all(pid_t from, uid_t uid) {
  await("kill", from, uid, SIGUSR1, SI_USER);
  await("tgkill", from, uid, SIGUSR2, SI_TKILL);
  await("tkill", from, uid, SIGURG, SI_TKILL);
  await("sigqueue", from, uid, SIGRTMIN, SI_QUEUE);
  await("pidfd", from, uid, SIGWINCH, SI_USER);
}
int main(void) {
  int p[2], q[2];
  char b;
  sigset_t s;
  sigemptyset(&s);
  int all[] = {SIGUSR1, SIGUSR2, SIGURG, SIGRTMIN, SIGWINCH, SIGHUP};
  for (int i = 0; i < 6; i++) sigaddset(&s, all[i]);
  sigprocmask(SIG_BLOCK, &s, NULL);
  check(pipe(p) == 0 && pipe(q) == 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    check(read(q[0], &b, 1) == 1);
    await_all(parent, getuid());
    send_all(parent);
    check(kill(0, SIGHUP) == 0);
    await("own group, in it", getpid(), getuid(), SIGHUP, SI_USER);
    check(write(p[1], "r", 1) == 1 && read(q[0], &b, 1) == 1);
    _exit(0);
  }
  send_all(child);
  check(write(q[1], "r", 1) == 1);
  check(read(p[0], &b, 1) == 1);
  await_all(child, getuid());
  await("own group, from a member", child, getuid(), SIGHUP, SI_USER);
  check(write(q[1], "r", 1) == 1);
  show_end("child", child);
  done();
}
