// Abstract: a program dies of SIGQUIT, as of others that leave a core.
// Ends: signal 3
#include "guest.h"

int main(void) {
  say("before\n");
  kill(0, 0);
  raise(SIGQUIT);
  say("not reached\n");
  return 0;
}
