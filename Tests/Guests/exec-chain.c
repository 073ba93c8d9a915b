// Abstract: a program executes itself ten times, then becomes /bin/sh.
// Ends: exit 8
#include "guest.h"

int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 0;
  if (n < 10) {
    char next[16];
    snprintf(next, sizeof next, "%d", n + 1);
    say("%d ", n);
    execl(argv[0], argv[0], next, (char *)NULL);
    return 1;
  }
  say("\n");
  execl("/bin/sh", "sh", "-c", "echo now a shell; exit 8", (char *)NULL);
  return 1;
}
