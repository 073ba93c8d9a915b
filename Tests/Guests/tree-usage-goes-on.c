// Abstract: processor time never goes back when a child becomes a set.
// Protect: 10
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    int64_t last = 0;
    for (int i = 0; i < 200; i++) {
      int64_t now = now_ns(CLOCK_PROCESS_CPUTIME_ID);
      check(now >= last);
      last = now;
      for (volatile int k = 0; k < 100000; k++) {
      }
    }
    _exit(0);
  }
  show_end("child", c);
  done();
}
