// Abstract: abort in a thread ends the program by its signal.
// Ends: signal 6
#include "thread.h"

static void *aborts(void *arg) {
  say("aborts\n");
  if (!arg) abort();
  return NULL;
}
int main(void) {
  end(start(aborts, NULL));
  done();
}
