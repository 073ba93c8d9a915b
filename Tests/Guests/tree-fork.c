// Abstract: children, grandchildren and their exit codes.
// Protect: 0
#include "guest.h"

static int descend(int depth) {
  if (!depth) return 3;
  pid_t c = fork();
  if (c == 0) _exit(descend(depth - 1) + 1);
  int st;
  check(waitpid(c, &st, 0) == c && WIFEXITED(st));
  return WEXITSTATUS(st);
}
int main(void) {
  for (int depth = 1; depth < 6; depth++) say("depth %d: %d\n", depth, descend(depth));
  done();
}
