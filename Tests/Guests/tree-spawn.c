// Abstract: posix_spawn in a child, with file actions and attributes.
// Protect: 0
#include "guest.h"
#include <spawn.h>

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    posix_spawn_file_actions_t a;
    posix_spawnattr_t at;
    sigset_t s;
    pid_t p;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addclose(&a, 7);
    posix_spawnattr_init(&at);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    posix_spawnattr_setsigmask(&at, &s);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    check(dup2(1, 7) == 7);
    char *args[] = {"sh", "-c", "echo spawned; ls -l /proc/self/fd/7 2>/dev/null; exit 4", NULL};
    for (int i = 0; i < 3; i++) {
      show(posix_spawn(&p, "/bin/sh", &a, &at, args, environ));
      show_end("spawned", p);
    }
    show_file("out");
    _exit(0);
  }
  show_end("child", c);
  done();
}
