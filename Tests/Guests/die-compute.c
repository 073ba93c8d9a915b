// Abstract: a signal ends a program that computes and calls nothing.
// Ends: signal 14
#include "guest.h"

int main(void) {
  say("before\n");
  ualarm(30000, 0);
  for (volatile unsigned long i = 0;; i++) {}
  say("not reached\n");
  return 0;
}
