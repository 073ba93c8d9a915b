// Abstract: siglongjmp out of handlers, of calls they interrupted, and of an alternate stack.
#include "guest.h"
#include <setjmp.h>
#include <sys/time.h>

static sigjmp_buf back;
static char stack[65536];
static void handler(int s) { siglongjmp(back, s); }
int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  int p[2];
  char c;
  check(pipe(p) == 0);
  for (volatile int i = 0; i < 5; i++) {
    int s = sigsetjmp(back, 1);
    if (s) {
      say("jumped %d\n", s);
      continue;
    }
    ualarm(5000, 0);
    if (i % 2) check(read(p[0], &c, 1) == 99);
    else pause();
  }
  stack_t st = {.ss_sp = stack, .ss_size = sizeof stack};
  check(sigaltstack(&st, NULL) == 0);
  a.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &a, NULL);
  for (volatile int i = 0; i < 5; i++)
    if (!sigsetjmp(back, 1)) raise(SIGUSR1);
    else say("off the stack %d\n", i);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  say("%d\n", sigisemptyset(&now));
  done();
}
