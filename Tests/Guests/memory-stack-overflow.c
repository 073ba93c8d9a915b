// Abstract: stack overflow is caught on an alternate signal stack.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static char stack[65536];
static void handler(int sig) {
  char here;
  say("signal %d, on the other stack: %d\n", sig, &here > stack && &here < stack + sizeof stack);
  siglongjmp(back, 1);
}
static volatile int depth;
__attribute__((noinline)) static int overflow(volatile char *p) {
  volatile char frame[4096];
  frame[0] = p[0];
  depth++;
  return depth < 0 ? 0 : overflow(frame) + frame[0];
}

int main(void) {
  stack_t s = {.ss_sp = stack, .ss_size = sizeof stack}, old;
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  show(sigaltstack(&s, NULL));
  show(sigaltstack(NULL, &old));
  say("flags %d size %zu\n", old.ss_flags, old.ss_size);
  sigaction(SIGSEGV, &a, NULL);
  volatile char c[1] = {0};
  for (int i = 0; i < 2; i++)
    if (!sigsetjmp(back, 1)) say("%d\n", overflow(c));
  check(depth > 1000);
  done();
}
