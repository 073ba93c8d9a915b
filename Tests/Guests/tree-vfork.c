// Abstract: vfork in a child: the parent waits for exec or exit.
// Protect: 0
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    for (int i = 0; i < 3; i++) {
      pid_t p = vfork();
      if (p == 0) {
        if (i == 0) execl("/bin/sh", "sh", "-c", "exit 9", NULL);
        if (i == 1) execl("/none", "none", NULL);
        _exit(11 + i);
      }
      show_end("vforked", p);
    }
    _exit(0);
  }
  show_end("child", c);
  done();
}
