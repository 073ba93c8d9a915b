// Abstract: threads catch their own faults, on alternate stacks too, while others are in their handlers.
#include "thread.h"
#include <setjmp.h>
#include <sys/mman.h>

static __thread sigjmp_buf back;
static __thread volatile int faults;
static char *page;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  check((sig == SIGSEGV && i->si_addr == page + 8) || sig == SIGFPE);
  faults++;
  sched_yield();
  pause_ms(1);
  siglongjmp(back, sig);
}
static void *run(void *arg) {
  long me = (long)arg;
  stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536};
  if (me % 2) check(sigaltstack(&s, NULL) == 0);
  for (volatile int i = 0; i < 4; i++) {
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
      if (i % 2) *(volatile int *)(page + 8) = 1;
      else {
        volatile int zero = 0;
        zero = 10 / zero;
      }
    }
    check(sig == (i % 2 ? SIGSEGV : SIGFPE));
  }
  return (void *)(long)faults;
}

int main(void) {
  pthread_t t[6];
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(sigaction(SIGSEGV, &a, NULL) == 0 && sigaction(SIGFPE, &a, NULL) == 0);
  for (long i = 0; i < 6; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < 6; i++) say("%ld\n", end(t[i]));
  done();
}
