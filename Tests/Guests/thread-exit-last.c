// Abstract: threads end one after the other by the raw call exit; the status of the program is that of the last.
// Ends: exit 0
#include "thread.h"

static pthread_t first;
static void *chain(void *arg) {
  long n = (long)arg;
  say("%ld\n", n);
  if (n == 10) end(first);
  if (n < 10) start(chain, (void *)(n + 1));
  return NULL;
}

int main(void) {
  first = pthread_self();
  start(chain, NULL);
  syscall(SYS_exit, 9); // the first thread alone
}
