// Abstract: death of SIGILL by an illegal instruction is the program's end.
// Ends: signal 4
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  __builtin_trap();
  say("not reached\n");
}
