// Abstract: a child executes a static program, and waits for what that does.
// Protect: 0
// Collapse: yes
#include "guest.h"

int main(void) {
  const char *busybox = access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : access("/usr/bin/busybox", X_OK) == 0 ? "/usr/bin/busybox" : NULL;
  pid_t c = fork();
  if (c == 0) {
    check(getpid() > 1);
    if (busybox) execl(busybox, "busybox", "sh", "-c", "exit 12", NULL);
    _exit(12);
  }
  show_end("static", c);
  c = fork();
  if (c == 0) {
    pid_t g = fork();
    if (g == 0) {
      if (busybox) execl(busybox, "busybox", "true", NULL);
      _exit(0);
    }
    show_end("grandchild", g);
    _exit(1);
  }
  show_end("child", c);
  done();
}
