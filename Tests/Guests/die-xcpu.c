// Abstract: a program that reaches its limit of processor time dies of SIGXCPU.
// Ends: signal 24
#include "guest.h"

int main(void) {
  say("before\n");
  raise(SIGXCPU);
  say("not reached\n");
  return 0;
}
