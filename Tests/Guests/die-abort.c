// Abstract: death of SIGABRT by abort is the program's end.
// Ends: signal 6
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  abort();
  say("not reached\n");
}
