// Abstract: posix_spawn with file actions and attributes; a missing program is ENOENT.
#include "guest.h"
#include <spawn.h>

int main(void) {
  pid_t c;
  char *args[] = {"sh", "-c", "echo to the file; echo error >&2; exit 21", NULL};
  posix_spawn_file_actions_t f;
  posix_spawn_file_actions_init(&f);
  posix_spawn_file_actions_addopen(&f, 1, "out", O_WRONLY | O_CREAT, 0644);
  posix_spawn_file_actions_adddup2(&f, 1, 2);
  posix_spawnattr_t a;
  posix_spawnattr_init(&a);
  posix_spawnattr_setflags(&a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  show(posix_spawn(&c, "/bin/sh", &f, &a, args, environ));
  show_end("sh", c);
  show_file("out");
  int r = posix_spawn(&c, "/no/such/program", NULL, NULL, args, environ);
  say("%s\n", strerrorname_np(r));
  r = posix_spawnp(&c, "surely-not-there", NULL, NULL, args, environ);
  say("%s\n", strerrorname_np(r));
  char *echo[] = {"echo", "spawned", NULL};
  r = posix_spawnp(&c, "echo", NULL, NULL, echo, environ);
  show_end("echo", c);
  say("%d\n", r);
  done();
}
