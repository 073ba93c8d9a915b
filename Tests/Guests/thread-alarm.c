// Abstract: an alarm comes to the thread that lets it through, and interrupts the call that this waits in.
#include "thread.h"
#include <sys/time.h>

static __thread int me;
static volatile int taker;
static sem_t ready;
static void handler(int sig) { taker = me * 10 + (sig == SIGALRM); }
static void *run(void *arg) {
  sigset_t s;
  me = 2;
  sigemptyset(&s), sigaddset(&s, SIGALRM);
  check(pthread_sigmask(SIG_UNBLOCK, &s, NULL) == 0);
  up(&ready);
  struct timespec left, t = {100, 0};
  show(nanosleep(&t, &left));
  check(left.tv_sec > 50);
  return arg;
}

int main(void) {
  sigset_t s;
  me = 1;
  sem_init(&ready, 0, 0);
  signal(SIGALRM, handler);
  sigemptyset(&s), sigaddset(&s, SIGALRM);
  check(pthread_sigmask(SIG_BLOCK, &s, NULL) == 0);
  pthread_t t = start(run, NULL);
  down(&ready);
  let_them_block();
  struct itimerval v = {{0, 0}, {0, 5000}};
  check(setitimer(ITIMER_REAL, &v, NULL) == 0);
  end(t);
  say("%d\n", taker);
  check(setitimer(ITIMER_REAL, &v, NULL) == 0);
  pause_ms(20);
  say("%d\n", taker);
  check(pthread_sigmask(SIG_UNBLOCK, &s, NULL) == 0);
  say("%d\n", taker);
  done();
}
