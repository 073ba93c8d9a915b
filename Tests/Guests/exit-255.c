// Abstract: exit(-1) is status 255.
// Ends: exit 255
#include "guest.h"

int main(void) {
  say("leaving with -1\n");
  exit(-1);
}
