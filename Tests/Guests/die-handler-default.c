// Abstract: a handler with SA_RESETHAND runs once; the second time the program dies.
// Ends: signal 15
#include "guest.h"
static void handler(int s) { say("handler %d\n", s); }
int main(void) {
  say("before\n");
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESETHAND};
  sigaction(SIGTERM, &a, NULL);
  raise(SIGTERM);
  say("survived one\n");
  raise(SIGTERM);
  say("not reached\n");
  return 0;
}
