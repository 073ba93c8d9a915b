// Abstract: sigwait, sigwaitinfo and sigtimedwait take what is pending or comes, and nothing else.
#include "guest.h"
#include <sys/time.h>

static void handler(int s) { say("handler %d\n", s); }
int main(void) {
  sigset_t s;
  siginfo_t i;
  int n;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1), sigaddset(&s, SIGALRM), sigaddset(&s, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &s, NULL);
  raise(SIGUSR1);
  show(sigwait(&s, &n));
  say("%d\n", n);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
  say("%d ", sigwaitinfo(&s, &i) == SIGRTMIN);
  say("code %d value %d\n", i.si_code, i.si_value.sival_int);
  struct timespec t = {0, 0};
  show(sigtimedwait(&s, &i, &t));
  t.tv_nsec = 10000000;
  show(sigtimedwait(&s, &i, &t));
  t.tv_nsec = 1000000000;
  show(sigtimedwait(&s, &i, &t));
  ualarm(10000, 0);
  say("%d code %d\n", sigwaitinfo(&s, &i), i.si_code);
  // Another one, which is handled, interrupts it.
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
  sigdelset(&s, SIGALRM);
  ualarm(10000, 0);
  show(sigwaitinfo(&s, &i));
  signal(SIGUSR1, SIG_IGN); // blocked and ignored: it is kept, and can be waited for
  raise(SIGUSR1);
  t = (struct timespec){0, 0};
  show(sigtimedwait(&s, &i, &t));
  done();
}
