// Abstract: exec in a child keeps its pid, its descriptors and its parent.
// Protect: 0
#include "guest.h"

int main(int argc, char **argv) {
  if (argc > 1) {
    check(atoi(argv[1]) == getpid() && atoi(argv[2]) == getppid());
    say("the same; descriptor %d open, %d not\n", fcntl(8, F_GETFD) == 0, fcntl(9, F_GETFD) == -1);
    return 5;
  }
  int p[2];
  check(pipe(p) == 0 && dup2(p[1], 8) == 8 && dup3(p[1], 9, O_CLOEXEC) == 9);
  pid_t c = fork();
  if (c == 0) {
    char me[16], parent[16];
    sprintf(me, "%d", getpid());
    sprintf(parent, "%d", getppid());
    say("executes\n");
    execl(argv[0], argv[0], me, parent, NULL);
    _exit(1);
  }
  show_end("child", c);
  done();
}
