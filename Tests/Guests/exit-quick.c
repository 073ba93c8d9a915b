// Abstract: quick_exit runs its own handlers only.
// Ends: exit 5
#include "guest.h"

static void quick(void) { say("quick\n"); }
static void never(void) { say("never\n"); }

int main(void) {
  atexit(never);
  at_quick_exit(quick);
  quick_exit(5);
}
