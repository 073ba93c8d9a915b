// Abstract: a SIGSEGV handler that repairs the mapping lets the access go on (a write barrier).
#include "guest.h"
#include <sys/mman.h>

static char *m;
static volatile int faults;
static void handler(int sig, siginfo_t *i, void *context) {
  (void)sig, (void)context;
  faults++;
  char *page = (char *)((uintptr_t)i->si_addr & ~4095ul);
  if (mprotect(page, 4096, PROT_READ | PROT_WRITE)) _exit(98);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  m = mmap(NULL, 64 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 64; i++) m[i * 4096 + i] = (char)i, m[i * 4096] = 1;
  say("%d faults, %d\n", faults, m[63 * 4096 + 63]);
  done();
}
