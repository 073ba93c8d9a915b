// Abstract: a program that raises SIGINT dies of it.
// Ends: signal 2
#include "guest.h"

int main(void) {
  say("before\n");
  raise(SIGINT);
  say("not reached\n");
  return 0;
}
