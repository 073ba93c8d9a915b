// Abstract: with SIGCHLD ignored children vanish, in a child, too.
// Protect: 0
#include "guest.h"

int main(void) {
  pid_t middle = fork();
  if (middle == 0) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
      if (fork() == 0) _exit(i);
    show(wait(NULL));
    signal(SIGCHLD, SIG_DFL);
    pid_t c = fork();
    if (c == 0) _exit(9);
    show_end("kept", c);
    _exit(0);
  }
  show_end("middle", middle);
  done();
}
