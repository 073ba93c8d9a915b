// Abstract: a breakpoint that nobody handles ends the program.
// Ends: signal 5
#include "guest.h"

int main(void) {
  say("before\n");
  __asm__ volatile("int3");
  say("not reached\n");
  return 0;
}
