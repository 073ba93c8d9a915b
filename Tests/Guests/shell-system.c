// Abstract: system() and popen() both ways.
#include "guest.h"

int main(void) {
  int st = system("echo from system; exit 17");
  say("%d\n", WEXITSTATUS(st));
  say("%d\n", system(NULL) != 0);
  st = system("kill -9 $$");
  say("signal %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : 0);
  FILE *p = popen("echo one; echo two; exit 3", "r");
  char line[64];
  while (fgets(line, sizeof line, p)) say("read %s", line);
  say("%d\n", WEXITSTATUS(pclose(p)));
  p = popen("tr a-z A-Z", "w");
  fputs("written to a pipe\n", p);
  say("%d\n", pclose(p));
  done();
}
