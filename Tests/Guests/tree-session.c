// Abstract: a child starts a session, and its children are in it.
// Protect: 20
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    check(setsid() == getpid() && getpgrp() == getpid());
    pause_ms(60); // a set by now
    say("leads %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
    pid_t leader = getpid(), g = fork();
    if (g == 0) {
      say("in it %d %d\n", getsid(0) == leader, getpgrp() == leader);
      pause_ms(60);
      say("still %d %d\n", getsid(0) == leader, getpgrp() == leader);
      show(setpgid(0, 0));
      say("own group %d\n", getpgrp() == getpid());
      _exit(1);
    }
    show_end("grandchild", g);
    _exit(2);
  }
  show_end("child", c);
  done();
}
