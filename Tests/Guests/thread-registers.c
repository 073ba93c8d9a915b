// Abstract: each thread keeps its registers across calls: general ones, vectors, rounding mode and exceptions.
// Link: -lm
#include "thread.h"
#include <fenv.h>

static void *run(void *arg) {
  long me = (long)arg;
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  check(fesetround(modes[me % 4]) == 0);
  double expected = 0;
  for (int i = 0; i < 200; i++) {
    uint64_t in[4] = {(uint64_t)me * 1000 + (uint64_t)i, 2, 3, (uint64_t)me}, out[4] = {0};
    long r, rbx, r12, r15;
    // getppid with vector and saved registers live across the call
    __asm__ volatile("movdqu (%4), %%xmm7\n movdqu 16(%4), %%xmm15\n mov %5, %%rbx\n mov %5, %%r12\n mov %5, %%r15\n"
                     "syscall\n"
                     "movdqu %%xmm7, (%6)\n movdqu %%xmm15, 16(%6)\n mov %%rbx, %1\n mov %%r12, %2\n mov %%r15, %3\n"
                     : "=&a"(r), "=&r"(rbx), "=&r"(r12), "=&r"(r15)
                     : "r"(in), "r"(me), "r"(out), "0"((long)SYS_getppid)
                     : "rbx", "r12", "r15", "rcx", "r11", "xmm7", "xmm15", "memory");
    check(r > 0 && rbx == me && r12 == me && r15 == me && memcmp(in, out, sizeof in) == 0);
    if (i % 20 == 0) sched_yield();
    volatile double a = 1, b = 3;
    double q = a / b;
    if (i == 0) expected = q;
    check(q == expected && fegetround() == modes[me % 4]);
    long double x = 1.0L / 3;
    check(x > 0.3L);
  }
  feclearexcept(FE_ALL_EXCEPT);
  if (me % 2) feraiseexcept(FE_OVERFLOW);
  sched_yield();
  check(!!fetestexcept(FE_OVERFLOW) == me % 2);
  uint64_t bits;
  memcpy(&bits, &expected, 8);
  return (void *)(long)(bits & 0xff);
}

int main(void) {
  pthread_t t[8];
  for (long i = 0; i < 8; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < 8; i++) say("%ld ", end(t[i]));
  say("\n");
  done();
}
