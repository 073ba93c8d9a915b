// Abstract: alarm kills a sleeping program when nothing handles it.
// Ends: signal 14
#include "guest.h"

int main(void) {
  say("%u\n", alarm(100));
  say("%d\n", alarm(0) > 90);
  say("%u\n", alarm(1));
  for (;;) pause();
}
