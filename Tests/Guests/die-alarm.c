// Abstract: an alarm that nobody handles ends a program that waits.
// Ends: signal 14
#include "guest.h"

int main(void) {
  say("before\n");
  ualarm(20000, 0);
  for (;;) pause();
  say("not reached\n");
  return 0;
}
