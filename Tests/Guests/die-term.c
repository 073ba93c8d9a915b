// Abstract: death of SIGTERM sent to itself is the program's end.
// Ends: signal 15
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  raise(SIGTERM);
  say("not reached\n");
}
