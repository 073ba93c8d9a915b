// Abstract: setjmp, longjmp out of nested calls, and makecontext, swapcontext.
#include "guest.h"
#include <setjmp.h>
#include <ucontext.h>

static jmp_buf back;
static void down(int n) {
  if (n == 0) longjmp(back, 42);
  check(access(".", F_OK) == 0);
  down(n - 1);
}

static ucontext_t a, b;
static void other(int x) {
  for (int i = 0; i < 3; i++) {
    say("other %d\n", x + i);
    swapcontext(&b, &a);
  }
}

int main(void) {
  volatile int tries = 0;
  int r = setjmp(back);
  if (r == 0 || tries < 3) {
    tries++;
    down(10 * tries);
  }
  say("%d after %d\n", r, tries);
  static char stack[65536];
  getcontext(&b);
  b.uc_stack.ss_sp = stack, b.uc_stack.ss_size = sizeof stack, b.uc_link = &a;
  makecontext(&b, (void (*)(void))other, 1, 100);
  for (int i = 0; i < 3; i++) {
    swapcontext(&a, &b);
    say("main %d\n", i);
  }
  done();
}
