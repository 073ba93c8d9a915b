// Abstract: abort runs a handler, unblocks SIGABRT and ends the program all the same.
// Ends: signal 6
#include "guest.h"

static void handler(int s) { say("handler %d\n", s); }
int main(void) {
  signal(SIGABRT, handler);
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, NULL);
  abort();
}
