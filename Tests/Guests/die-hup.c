// Abstract: a program that sends itself SIGHUP, which it does not handle, dies of it.
// Ends: signal 1
#include "guest.h"

int main(void) {
  say("before\n");
  kill(getpid(), SIGHUP);
  say("not reached\n");
  return 0;
}
