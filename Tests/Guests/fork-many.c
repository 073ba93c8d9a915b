// Abstract: twenty children and a grandchild; what each wrote arrives, all are reaped.
#include "guest.h"

int main(void) {
  int p[2], sum = 0, reaped = 0, v;
  check(pipe(p) == 0);
  for (int i = 1; i <= 20; i++) {
    pid_t c = fork();
    check(c >= 0);
    if (c == 0) {
      if (i == 20) {
        pid_t g = fork();
        if (g == 0) {
          v = 1000;
          check(write(p[1], &v, sizeof v) == sizeof v);
          _exit(3);
        }
        int st;
        check(waitpid(g, &st, 0) == g && WEXITSTATUS(st) == 3);
      }
      check(write(p[1], &i, sizeof i) == sizeof i);
      _exit(i);
    }
  }
  close(p[1]);
  int n = 0, st, statuses = 0;
  while (read(p[0], &v, sizeof v) == sizeof v) sum += v, n++;
  while (wait(&st) > 0) reaped++, statuses += WEXITSTATUS(st);
  say("%d values, sum %d; %d reaped, sum %d, then %s\n", n, sum, reaped, statuses, strerrorname_np(errno));
  done();
}
