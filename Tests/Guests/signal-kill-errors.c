// Abstract: kill and its kin answer to wrong numbers and pids as natively.
#include "guest.h"
#include <sys/syscall.h>

int main(void) {
  show(kill(getpid(), 0));
  show(kill(0, 0));
  show(kill(getpid(), 65));
  show(kill(getpid(), -1));
  show(kill(1 << 30, SIGTERM));
  show(kill(-(1 << 30), SIGTERM));
  show(raise(0));
  show(raise(100));
  show(syscall(SYS_tgkill, getpid(), getpid(), 0));
  show(syscall(SYS_tgkill, getpid(), 1 << 30, 0));
  show(syscall(SYS_tgkill, -1, 1, 0));
  show(syscall(SYS_tkill, 0, 0));
  show(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
  show(syscall(SYS_rt_sigprocmask, 9, &(sigset_t){0}, NULL, 8));
  show(syscall(SYS_rt_sigprocmask, 0, (void *)8, NULL, 8));
  show(syscall(SYS_rt_sigpending, NULL, 16));
  show(syscall(SYS_rt_sigsuspend, NULL, 4));
  show(syscall(SYS_rt_sigtimedwait, (void *)8, NULL, NULL, 8));
  done();
}
