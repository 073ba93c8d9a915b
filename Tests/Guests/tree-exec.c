// Abstract: a child executes this program, and that another.
// Protect: 0
#include "guest.h"

int main(int argc, char **argv) {
  say("%d arguments, last %s, %s\n", argc - 1, argc > 1 ? argv[argc - 1] : "none", getenv("GUEST") ? "GUEST" : "nothing");
  if (argc > 4) return 40 + argc;
  pid_t c = fork();
  if (c == 0) {
    check(getpid() > 1);
    char *args[8] = {argv[0]};
    for (int i = 1; i < argc; i++) args[i] = argv[i];
    args[argc] = "more";
    char *env[] = {"ONE=1", NULL};
    if (argc % 2) execv(argv[0], args);
    else execve(argv[0], args, env);
    _exit(1);
  }
  show_end("child", c);
  if (argc == 1) done();
  return argc == 1 ? 0 : argc;
}
