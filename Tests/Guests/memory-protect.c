// Abstract: mprotect and a SIGSEGV handler: address and code are right, siglongjmp leaves it.
#include "guest.h"
#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf back;
static char *page;
static void handler(int sig, siginfo_t *i, void *context) {
  (void)context;
  say("signal %d code %d offset %ld\n", sig, i->si_code, (long)((char *)i->si_addr - page));
  siglongjmp(back, 1);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[10] = 1;
  show(mprotect(page, 4096, PROT_READ));
  for (int i = 0; i < 3; i++)
    if (!sigsetjmp(back, 1)) {
      page[10 + i] = 2;
      say("not reached\n");
    }
  say("value %d\n", page[10]);
  show(mprotect(page, 4096, PROT_READ | PROT_WRITE));
  page[10] = 3;
  say("value %d\n", page[10]);
  show(munmap(page + 4096, 4096));
  if (!sigsetjmp(back, 1)) say("%d\n", page[5000]);
  show(mprotect(page, 4096, PROT_NONE));
  if (!sigsetjmp(back, 1)) say("%d\n", page[7]);
  show(mprotect(page + 1, 10, PROT_READ));
  done();
}
