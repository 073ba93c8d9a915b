// Abstract: the first thread ends by pthread_exit, the others live on, and the last return ends the program with 0.
// Ends: exit 0
#include "thread.h"

static pthread_t first;
static void at_exit(void) { say("at exit\n"); }
static void *second(void *arg) {
  long r = end(first);
  say("first thread: %ld\n", r);
  say("%d\n", getpid() != gettid());
  pause_ms(10);
  say("last\n");
  return arg;
}

int main(void) {
  first = pthread_self();
  check(atexit(at_exit) == 0);
  start(second, NULL);
  pthread_exit((void *)17);
}
