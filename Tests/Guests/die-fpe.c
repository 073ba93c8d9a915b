// Abstract: death of SIGFPE by a division is the program's end.
// Ends: signal 8
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  volatile int zero = 0, x = 77 / zero;
  x = x + 77 % zero;
  say("not reached\n");
}
