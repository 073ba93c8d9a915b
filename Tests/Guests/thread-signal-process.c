// Abstract: a signal for the process is taken by the one thread that does not block it, wherever that waits.
#include "thread.h"

static __thread int me;
static volatile int taker;
static sem_t ready, handled;
static atomic_int stop;
static void handler(int sig) {
  taker = me * 100 + sig;
  sem_post(&handled);
}
static void *run(void *arg) {
  sigset_t s;
  me = (int)(long)arg;
  sigemptyset(&s), sigaddset(&s, SIGUSR1 + 0), sigaddset(&s, SIGUSR2), sigaddset(&s, SIGRTMIN);
  sigdelset(&s, me == 1 ? SIGUSR1 : me == 2 ? SIGUSR2 : SIGRTMIN);
  check(pthread_sigmask(SIG_SETMASK, &s, NULL) == 0);
  up(&ready);
  while (!stop) pause_ms(me == 1 ? 100000 : 5);
  return NULL;
}

int main(void) {
  static const int sigs[] = {0, SIGUSR1, SIGUSR2, 34};
  sigset_t s;
  pthread_t t[4];
  sem_init(&ready, 0, 0), sem_init(&handled, 0, 0);
  for (int i = 1; i < 4; i++) signal(i == 3 ? SIGRTMIN : sigs[i], handler);
  sigemptyset(&s), sigaddset(&s, SIGUSR1), sigaddset(&s, SIGUSR2), sigaddset(&s, SIGRTMIN);
  check(pthread_sigmask(SIG_BLOCK, &s, NULL) == 0);
  for (long i = 1; i < 4; i++) t[i] = start(run, (void *)i);
  for (int i = 1; i < 4; i++) down(&ready);
  for (int round = 0; round < 3; round++)
    for (int i = 1; i < 4; i++) {
      check(kill(getpid(), i == 3 ? SIGRTMIN : sigs[i]) == 0);
      down(&handled);
      say("%d\n", taker);
    }
  stop = 1;
  check(pthread_kill(t[2], SIGUSR2) == 0 && pthread_kill(t[3], SIGRTMIN) == 0 && pthread_kill(t[1], SIGUSR1) == 0);
  check(pthread_cancel(t[1]) == 0 || 1);
  for (int i = 1; i < 4; i++) pthread_join(t[i], NULL);
  done();
}
