// Abstract: an integer division by zero is caught with its code; SIGFPE's siglongjmp works.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  say("%d code %d\n", sig, i->si_code);
  siglongjmp(back, 1);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &a, NULL);
  volatile int zero = 0, x = 5;
  if (!sigsetjmp(back, 1)) x = x / zero;
  if (!sigsetjmp(back, 1)) x = x % zero;
  say("%d\n", x);
  done();
}
