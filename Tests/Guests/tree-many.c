// Abstract: thirty children at once, each waited for.
// Protect: 0
#include "guest.h"

int main(void) {
  int sum = 0, st;
  pid_t pids[30];
  for (int i = 0; i < 30; i++)
    if ((pids[i] = fork()) == 0) {
      check(getppid() > 1);
      _exit(i);
    }
  for (int i = 0; i < 15; i++) check(waitpid(pids[2 * i], &st, 0) == pids[2 * i] && WEXITSTATUS(st) == 2 * i);
  for (int i = 0; i < 15; i++) {
    check(wait(&st) > 0);
    sum += WEXITSTATUS(st);
  }
  say("sum %d\n", sum);
  show(wait(&st));
  done();
}
