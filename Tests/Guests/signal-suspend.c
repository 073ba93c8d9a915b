// Abstract: sigsuspend, ppoll and pselect let a signal in with their mask and put the old one back.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static void handler(int s) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  say("handler %d, USR2 blocked: %d\n", s, sigismember(&now, SIGUSR2));
}
static int blocked(int s) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  return sigismember(&now, s);
}
int main(void) {
  struct sigaction a = {.sa_handler = handler};
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGUSR2, &a, NULL);
  sigset_t both, two;
  sigemptyset(&both), sigemptyset(&two);
  sigaddset(&both, SIGUSR1), sigaddset(&both, SIGUSR2), sigaddset(&two, SIGUSR2);
  sigprocmask(SIG_BLOCK, &both, NULL);
  raise(SIGUSR1), raise(SIGUSR2);
  show(sigsuspend(&two));
  say("%d %d\n", blocked(SIGUSR1), blocked(SIGUSR2));
  raise(SIGUSR1);
  struct timespec t = {5, 0};
  show(ppoll(NULL, 0, &t, &two));
  raise(SIGUSR1);
  show(pselect(0, NULL, NULL, NULL, &t, &two));
  struct epoll_event e;
  raise(SIGUSR1);
  show(epoll_pwait(epoll_create1(0), &e, 1, 5000, &two));
  say("%d %d\n", blocked(SIGUSR1), blocked(SIGUSR2));
  sigset_t pending;
  sigpending(&pending);
  say("pending %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &both, NULL);
  done();
}
