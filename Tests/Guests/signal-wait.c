// Abstract: sigsuspend, sigtimedwait, sigwaitinfo, sigwait and pause.
#include "guest.h"
#include <sys/time.h>

static volatile int hits;
static void handler(int sig) { hits += sig == SIGALRM; }

int main(void) {
  sigset_t s, none;
  siginfo_t i;
  int sig;
  sigemptyset(&none);
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, NULL);
  struct timespec t = {0, 10000000};
  show(sigtimedwait(&s, &i, &t));
  sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5});
  show(sigtimedwait(&s, &i, &t));
  say("%d\n", i.si_value.sival_int);
  raise(SIGUSR1);
  show(sigwaitinfo(&s, &i));
  raise(SIGUSR1);
  show(sigwait(&s, &sig));
  say("%d\n", sig);
  signal(SIGALRM, handler);
  struct itimerval v = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &v, NULL);
  show(pause());
  say("%d\n", hits);
  sigaddset(&s, SIGALRM);
  sigprocmask(SIG_BLOCK, &s, NULL);
  setitimer(ITIMER_REAL, &v, NULL);
  pause_ms(40);
  say("%d\n", hits);
  show(sigsuspend(&none));
  say("%d\n", hits);
  done();
}
