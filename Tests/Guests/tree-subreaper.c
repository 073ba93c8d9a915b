// Abstract: orphans come to a subreaper, which waits for them.
// Protect: 0
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  pid_t middle = fork();
  if (middle == 0) {
    int p[2], st;
    char b;
    check(pipe(p) == 0);
    show(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t me = getpid(), c = fork();
    if (c == 0) {
      if (fork() == 0) {
        check(read(p[0], &b, 1) == 1);
        say("parent is the subreaper %d\n", getppid() == me);
        _exit(21);
      }
      _exit(20);
    }
    show_end("parent", c);
    check(write(p[1], "x", 1) == 1);
    check(wait(&st) > 0);
    say("orphan %d\n", WEXITSTATUS(st));
    _exit(0);
  }
  show_end("middle", middle);
  done();
}
