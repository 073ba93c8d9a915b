// Abstract: timers with SIGEV_THREAD_ID signal the thread that they name, also one that computes or waits.
#include "thread.h"
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static __thread int mine;
static sem_t ready, handled, go;
static volatile pid_t taker;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)sig, (void)c;
  check(i->si_code == SI_TIMER);
  mine += i->si_value.sival_int;
  taker = gettid();
  sem_post(&handled);
}
static void *run(void *arg) {
  *(pid_t *)arg = gettid();
  up(&ready);
  down(&go);
  return (void *)(long)mine;
}

int main(void) {
  pid_t tids[3];
  pthread_t t[3];
  timer_t timer;
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 1, &a, NULL);
  sem_init(&ready, 0, 0), sem_init(&handled, 0, 0), sem_init(&go, 0, 0);
  for (int i = 0; i < 3; i++) t[i] = start(run, &tids[i]);
  for (int i = 0; i < 3; i++) down(&ready);
  for (int i = 2; i >= 0; i--) {
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = i + 1};
    e.sigev_notify_thread_id = tids[i];
    check(timer_create(CLOCK_MONOTONIC, &e, &timer) == 0);
    struct itimerspec once = {{0, 0}, {0, 2000000}};
    check(timer_settime(timer, 0, &once, NULL) == 0);
    down(&handled);
    check(taker == tids[i]);
    check(timer_delete(timer) == 0);
  }
  struct sigevent bad = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  bad.sigev_notify_thread_id = 1;
  show(timer_create(CLOCK_MONOTONIC, &bad, &timer));
  for (int i = 0; i < 3; i++) up(&go);
  for (int i = 0; i < 3; i++) say("%ld\n", end(t[i]));
  done();
}
