// Abstract: vfork with _exit and with exec.
#include "guest.h"

int main(void) {
  volatile int before = 7;
  pid_t c = vfork();
  if (c == 0) _exit(12);
  show_end("vfork", c);
  c = vfork();
  if (c == 0) {
    execl("/bin/echo", "echo", "from", "vfork", (char *)NULL);
    _exit(127);
  }
  show_end("echo", c);
  c = vfork();
  if (c == 0) {
    execl("/no/such/program", "x", (char *)NULL);
    _exit(errno == ENOENT ? 44 : 45);
  }
  show_end("missing", c);
  say("%d\n", before);
  done();
}
