// Abstract: system and popen in a child.
// Protect: 0
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    show(WEXITSTATUS(system("echo by system; exit 3")));
    show(WTERMSIG(system("kill -9 $$")));
    char line[64];
    FILE *f = popen("echo one; echo two", "r");
    while (fgets(line, sizeof line, f)) say("read %s", line);
    show(WEXITSTATUS(pclose(f)));
    f = popen("tr a-z A-Z; exit 2", "w");
    fprintf(f, "written\n");
    show(WEXITSTATUS(pclose(f)));
    _exit(0);
  }
  show_end("child", c);
  done();
}
