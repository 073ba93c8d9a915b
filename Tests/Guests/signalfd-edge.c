// Abstract: with EPOLLET a signalfd is told of each signal once; several are read at a time, in order.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/signalfd.h>

int main(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1), sigaddset(&s, SIGHUP), sigaddset(&s, SIGRTMIN + 1), sigaddset(&s, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &s, NULL);
  int fd = signalfd(-1, &s, SFD_NONBLOCK), ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
  show(epoll_wait(ep, &e, 1, 0));
  for (int round = 0; round < 3; round++) {
    check(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = round}) == 0);
    show(epoll_wait(ep, &e, 1, 0));
    show(epoll_wait(ep, &e, 1, 0));
  }
  check(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10}) == 0);
  check(raise(SIGUSR1) == 0 && raise(SIGHUP) == 0 && raise(SIGUSR1) == 0);
  sigset_t pending;
  sigpending(&pending);
  say("pending %d %d %d\n", sigismember(&pending, SIGHUP), sigismember(&pending, SIGRTMIN + 2), sigismember(&pending, SIGINT));
  struct signalfd_siginfo i[5];
  for (ssize_t n; (n = read(fd, i, sizeof i)) > 0;) {
    say("%zd bytes:", n);
    for (int k = 0; k < n / 128; k++)
      say(" %d/%d/%d", (int)i[k].ssi_signo - (i[k].ssi_signo > 31 ? SIGRTMIN - 100 : 0), i[k].ssi_code, i[k].ssi_int);
    say("\n");
  }
  say("%s\n", strerrorname_np(errno));
  show(epoll_wait(ep, &e, 1, 0));
  show(read(fd, i, 127));
  sigpending(&pending);
  say("empty %d\n", sigisemptyset(&pending));
  done();
}
