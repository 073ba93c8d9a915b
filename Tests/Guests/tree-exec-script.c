// Abstract: a child executes a script, and one by an interpreter of its own.
// Protect: 0
#include "guest.h"

int main(void) {
  make_file("one", "#!/bin/sh\necho script $1 $#\nexit 7\n");
  make_file("two", "#!/bin/cat\nprinted\n");
  check(chmod("one", 0755) == 0 && chmod("two", 0755) == 0);
  for (int i = 0; i < 2; i++) {
    pid_t c = fork();
    if (c == 0) {
      check(access("one", X_OK) == 0);
      execl(i ? "./two" : "./one", "x", i ? NULL : "argument", NULL);
      _exit(1);
    }
    show_end("script", c);
  }
  done();
}
