// Abstract: pthread_kill reaches the thread that it names, blocked or not; 0 asks; pthread_sigqueue carries a value.
#include "thread.h"

enum { N = 5 };
static __thread int hits;
static __thread long value;
static pthread_t t[N];
static sem_t ready, handled, go;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)c;
  hits += sig == SIGUSR1;
  if (i->si_code == SI_QUEUE) value = i->si_value.sival_int;
  else check(i->si_code == SI_TKILL && i->si_pid == getpid());
  sem_post(&handled);
}
static void *run(void *arg) {
  up(&ready);
  down(&go);
  return (void *)(hits * 1000 + value + (arg == NULL ? 0 : 0));
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  sem_init(&ready, 0, 0), sem_init(&handled, 0, 0), sem_init(&go, 0, 0);
  for (long i = 0; i < N; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < N; i++) down(&ready);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < i; k++) {
      check(pthread_kill(t[i], SIGUSR1) == 0);
      down(&handled);
    }
    check(pthread_sigqueue(t[i], SIGUSR1, (union sigval){.sival_int = 100 + i}) == 0);
    down(&handled);
    tell(pthread_kill(t[i], 0));
  }
  tell(pthread_kill(t[0], 65));
  tell(pthread_kill(pthread_self(), SIGUSR1));
  say("main %d\n", hits);
  for (int i = 0; i < N; i++) up(&go);
  for (int i = 0; i < N; i++) say("thread %d: %ld\n", i, end(t[i]));
  done();
}
