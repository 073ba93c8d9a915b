// Abstract: posix_spawn, system, popen and vfork in several threads at the same time.
#include "thread.h"
#include <spawn.h>

extern char **environ;
static void *spawns(void *arg) {
  char *a[] = {"sh", "-c", "exit 7", NULL};
  int st;
  pid_t c;
  check(posix_spawnp(&c, "sh", NULL, NULL, a, environ) == 0);
  check(waitpid(c, &st, 0) == c && WIFEXITED(st));
  check(posix_spawn(&c, "/no/such", NULL, NULL, a, environ) == ENOENT);
  return (void *)(long)(WEXITSTATUS(st) + 0 * (arg != NULL));
}
static void *asks_system(void *arg) {
  int st = system("exit 5");
  return (void *)(long)(WEXITSTATUS(st) + 0 * (arg != NULL));
}
static void *opens_pipe(void *arg) {
  char b[32] = "";
  FILE *f = popen("echo 11; exit 3", "r");
  check(f != NULL && fgets(b, sizeof b, f) != NULL);
  int st = pclose(f);
  return (void *)(long)(WEXITSTATUS(st) + atoi(b) + 0 * (arg != NULL));
}
static void *vforks(void *arg) {
  pid_t c = vfork();
  if (c == 0) {
    execl("/bin/sh", "sh", "-c", "exit 9", NULL);
    _exit(127);
  }
  int st;
  check(waitpid(c, &st, 0) == c);
  return (void *)(long)(WEXITSTATUS(st) + 0 * (arg != NULL));
}

int main(void) {
  static thread_body *const bodies[] = {spawns, asks_system, opens_pipe, vforks};
  pthread_t t[8];
  for (int i = 0; i < 8; i++) t[i] = start(bodies[i % 4], NULL);
  for (int i = 0; i < 8; i++) say("%ld\n", end(t[i]));
  show(wait(NULL));
  done();
}
