// Abstract: death of SIGSEGV by a null pointer is the program's end.
// Ends: signal 11
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  *(volatile int *)0 = 1;
  say("not reached\n");
}
