// Abstract: touching a mapping past the end of its file is SIGBUS with BUS_ADRERR, and the guest's own.
#include "guest.h"
#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf back;
static char *m;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  say("%d code %d at %ld\n", sig, i->si_code, (long)((char *)i->si_addr - m));
  siglongjmp(back, 1);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &a, NULL);
  make_file("f", "short");
  m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, open("f", O_RDONLY), 0);
  check(m != MAP_FAILED);
  say("%c\n", m[1]);
  if (!sigsetjmp(back, 1)) say("%d\n", m[5000]);
  done();
}
