// Abstract: a thousand threads one after the other: their places and numbers are used again.
#include "thread.h"

static void *run(void *arg) { return (void *)((long)arg + 1); }

int main(void) {
  long n = 0;
  for (int i = 0; i < 1000; i++) n = end(start(run, (void *)n));
  say("%ld\n", n);
  done();
}
