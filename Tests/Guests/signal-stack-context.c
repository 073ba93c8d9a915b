// Abstract: a handler sees and changes the interrupted context (skips an instruction).
#include "guest.h"
#include <ucontext.h>

static void handler(int sig, siginfo_t *i, void *c) {
  ucontext_t *u = c;
  say("%d code %d\n", sig, i->si_code);
  u->uc_mcontext.gregs[REG_RIP] += 2; // ud2 has two bytes
  u->uc_mcontext.gregs[REG_RBX] = 1234;
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &a, NULL);
  long v;
  __asm__ volatile("xor %%ebx, %%ebx\n ud2\n mov %%rbx, %0" : "=r"(v) : : "rbx", "memory");
  say("%ld\n", v);
  done();
}
