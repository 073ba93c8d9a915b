// Abstract: handlers run one in the other, each with its own mask, and pending signals come in the kernel's order.
#include "guest.h"

static volatile int raised;
static void handler(int s) {
  say("begin %d\n", s);
  if (s == SIGUSR1 && !raised++) {
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGALRM);
  }
  say("end %d\n", s);
}
static volatile int again;
static void twice(int s) {
  say("once %d\n", s);
  if (!again++) raise(s);
}
int main(void) {
  struct sigaction a = {.sa_handler = handler};
  sigaddset(&a.sa_mask, SIGALRM);
  sigaction(SIGUSR1, &a, NULL);
  sigemptyset(&a.sa_mask);
  sigaction(SIGUSR2, &a, NULL);
  sigaction(SIGALRM, &a, NULL);
  signal(SIGTERM, twice);
  raise(SIGTERM);
  struct sigaction first = {.sa_handler = twice};
  again = 1;
  sigaction(SIGUSR1, &first, NULL);
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  sigset_t all, none;
  sigfillset(&all), sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &all, NULL);
  raise(SIGALRM), raise(SIGUSR2), raise(SIGTERM);
  sigprocmask(SIG_SETMASK, &none, NULL);
  done();
}
