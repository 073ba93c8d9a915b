// Abstract: signalfd delivers blocked signals as data.
#include "guest.h"
#include <sys/signalfd.h>

int main(void) {
  sigset_t s;
  struct signalfd_siginfo i;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigaddset(&s, SIGUSR2);
  sigprocmask(SIG_BLOCK, &s, NULL);
  close(0);
  int f = show(signalfd(-1, &s, SFD_NONBLOCK));
  show(read(f, &i, sizeof i));
  show(raise(SIGUSR1));
  show(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77}));
  show(read(f, &i, sizeof i));
  say("%u\n", i.ssi_signo);
  show(read(f, &i, sizeof i));
  say("%u value %d me %d\n", i.ssi_signo, i.ssi_int, i.ssi_pid == (uint32_t)getpid());
  show(read(f, &i, sizeof i));
  done();
}
