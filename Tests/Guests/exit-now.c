// Abstract: _exit neither flushes nor runs handlers.
// Ends: exit 9
#include "guest.h"

static void never(void) { say("never\n"); }

int main(void) {
  atexit(never);
  printf("never flushed");
  say("leaving\n");
  _exit(9);
}
