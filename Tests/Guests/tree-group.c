// Abstract: a signal to a process group ends all of it.
// Protect: 0
#include "guest.h"

int main(void) {
  int p[2];
  char b;
  pid_t pids[3];
  check(pipe(p) == 0);
  for (int i = 0; i < 3; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      check(setpgid(0, i ? pids[0] : 0) == 0);
      check(write(p[1], "r", 1) == 1);
      for (;;) pause();
    }
    check(read(p[0], &b, 1) == 1);
    show(getpgid(pids[i]) == pids[0]);
  }
  show(kill(-pids[0], SIGTERM));
  for (int i = 0; i < 3; i++) show_end("member", pids[i]);
  show(kill(-pids[0], 0));
  done();
}
