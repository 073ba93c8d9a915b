// Abstract: atexit handlers run last to first, then destructors, then stdio is flushed.
// Ends: exit 7
#include "guest.h"

static void a(void) { say("a\n"); }
static void b(void) { say("b\n"); }
static void with(int status, void *p) { say("on_exit %d %s\n", status, (char *)p); }
__attribute__((constructor)) static void first(void) { say("constructor\n"); }
__attribute__((destructor)) static void last(void) { say("destructor\n"); }

int main(void) {
  atexit(a);
  on_exit(with, "argument");
  atexit(b);
  printf("flushed at the end\n");
  exit(7);
}
