// Abstract: death of SIGKILL sent to itself is the program's end.
// Ends: signal 9
#include "guest.h"

int main(void) {
  printf("buffered and lost, as natively\n");
  say("written\n");
  kill(getpid(), SIGKILL);
  say("not reached\n");
}
