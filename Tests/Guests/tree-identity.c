// Abstract: who a process is does not change when it becomes a set.
// Protect: 20
#include "guest.h"

int main(void) {
  pid_t parent = getpid(), group = getpgrp(), session = getsid(0);
  pid_t c = fork();
  if (c == 0) {
    pid_t me = getpid();
    check(me != parent);
    for (int i = 0; i < 4; i++) {
      check(getpid() == me && gettid() == me && getppid() == parent && getpgrp() == group && getsid(0) == session);
      check(getpgid(me) == group && getsid(parent) == session && kill(me, 0) == 0 && kill(parent, 0) == 0);
      char path[64], text[256] = "";
      sprintf(path, "/proc/%d/stat", me);
      int fd = open(i % 2 ? path : "/proc/self/stat", O_RDONLY);
      check(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && atoi(text) == me);
      close(fd);
      pause_ms(20);
    }
    _exit(0);
  }
  show_end("child", c);
  done();
}
