// Abstract: each thread has an alternate stack of its own, and its handlers run there.
#include "thread.h"

static __thread char *own;
static __thread int on_own, depth;
enum { SIZE = 65536 };
static void handler(int sig) {
  char here;
  on_own += &here >= own && &here < own + SIZE;
  stack_t s;
  check(sigaltstack(NULL, &s) == 0 && (s.ss_flags & SS_ONSTACK) && s.ss_sp == own);
  pause_ms(1); // the others run, on theirs
  if (depth++ == 0 && sig == SIGUSR1) raise(SIGUSR2);
  check(&here >= own && &here < own + SIZE);
}
static void *run(void *arg) {
  stack_t s, old;
  check(sigaltstack(NULL, &s) == 0 && s.ss_flags == SS_DISABLE);
  own = malloc(SIZE);
  s = (stack_t){.ss_sp = own, .ss_size = SIZE};
  check(sigaltstack(&s, &old) == 0 && old.ss_flags == SS_DISABLE);
  for (int i = 0; i < 5; i++) depth = 0, raise(SIGUSR1);
  s = (stack_t){.ss_flags = SS_DISABLE};
  check(sigaltstack(&s, NULL) == 0);
  free(own);
  return (void *)(long)(on_own + 0 * (arg != NULL));
}

int main(void) {
  pthread_t t[6];
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &a, NULL), sigaction(SIGUSR2, &a, NULL);
  for (int i = 0; i < 6; i++) t[i] = start(run, NULL);
  for (int i = 0; i < 6; i++) say("%ld\n", end(t[i]));
  done();
}
