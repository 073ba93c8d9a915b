// Abstract: clone with a signal of its own, and with none.
// Protect: 0
#include "guest.h"
#include <sched.h>
#include <sys/syscall.h>

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    signal(SIGUSR1, SIG_IGN);
    pid_t p = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (p == 0) _exit(1);
    show_end("SIGCHLD", p);
    _exit(0);
  }
  show_end("child", c);
  pid_t tid = 0;
  pid_t p = syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, &tid, 0, 0);
  if (p == 0) _exit(2);
  show(tid == p);
  show_end("cloned", p);
  done();
}
