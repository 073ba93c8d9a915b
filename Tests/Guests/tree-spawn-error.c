// Abstract: posix_spawn of nothing tells its caller why, in a child, too.
// Protect: 0
#include "guest.h"
#include <spawn.h>

int main(void) {
  for (int i = 0; i < 2; i++) {
    pid_t c = i ? fork() : 0, p = 77;
    if (c == 0) {
      char *args[] = {"x", NULL};
      show(posix_spawn(&p, "/none", NULL, NULL, args, environ) == ENOENT);
      show(posix_spawnp(&p, "no-such-program", NULL, NULL, args, environ) == ENOENT);
      show(posix_spawn(&p, "/etc", NULL, NULL, args, environ) == EACCES);
      show(waitpid(-1, NULL, 0));
      if (i) _exit(0);
    } else show_end("child", c);
  }
  done();
}
