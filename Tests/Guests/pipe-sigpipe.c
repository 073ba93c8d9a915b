// Abstract: writing to a pipe without reader kills by SIGPIPE.
// Ends: signal 13
#include "guest.h"

int main(void) {
  int p[2];
  check(pipe(p) == 0 && close(p[0]) == 0);
  say("before\n");
  check(write(p[1], "x", 1) < 0);
  say("after\n");
}
