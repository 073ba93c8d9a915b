// Abstract: deep recursion on the smallest stacks, with calls and signals at its bottom.
#include "thread.h"

static volatile int handled;
static sem_t ready;
static void handler(int sig) { handled += sig == SIGUSR1; }
__attribute__((noinline)) static int deep(int n) {
  volatile char room[100];
  room[n % 100] = (char)n;
  if (n) return deep(n - 1) + (room[n % 100] == (char)n);
  check(getppid() > 0);
  raise(SIGUSR1);
  pause_ms(1);
  return 0;
}
static void *run(void *arg) { return (void *)(long)deep((int)(long)arg); }

int main(void) {
  pthread_attr_t a;
  pthread_t t[8];
  sem_init(&ready, 0, 0);
  signal(SIGUSR1, handler);
  check(pthread_attr_init(&a) == 0 && pthread_attr_setstacksize(&a, PTHREAD_STACK_MIN + 16384) == 0);
  for (int i = 0; i < 8; i++) check(pthread_create(&t[i], &a, run, (void *)40) == 0);
  for (int i = 0; i < 8; i++) say("%ld ", end(t[i]));
  say("%d\n", handled);
  pthread_attr_setstacksize(&a, 1 << 20);
  check(pthread_create(&t[0], &a, run, (void *)4000) == 0);
  say("%ld\n", end(t[0]));
  done();
}
