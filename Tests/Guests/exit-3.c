// Abstract: an exit status other than 0 arrives.
// Ends: exit 3
#include "guest.h"

int main(void) {
  say("leaving with 3\n");
  return 3;
}
