// Abstract: an unblocked pending signal ends the program before the next statement.
// Ends: signal 10
#include "guest.h"

int main(void) {
  say("before\n");
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, NULL);
  raise(SIGUSR1);
  say("still here\n");
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  say("not reached\n");
  return 0;
}
