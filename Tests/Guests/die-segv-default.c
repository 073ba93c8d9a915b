// Abstract: a SIGSEGV handler that restores the default and returns dies of the same fault.
// Ends: signal 11
#include "guest.h"

static void handler(int sig) {
  say("handler %d\n", sig);
  signal(sig, SIG_DFL);
}

int main(void) {
  signal(SIGSEGV, handler);
  volatile int *p = (int *)16;
  say("before\n");
  *p = 1;
  say("not reached\n");
}
