// Abstract: a write into a pipe that nobody reads ends the program with SIGPIPE.
// Ends: signal 13
#include "guest.h"

int main(void) {
  say("before\n");
  int p[2];
  check(pipe(p) == 0 && close(p[0]) == 0);
  write(p[1], "x", 1) < 0 ? (void)0 : (void)1;
  say("not reached\n");
  return 0;
}
