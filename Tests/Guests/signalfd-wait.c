// Abstract: poll, select, epoll and read wait for a signalfd; it tells of timers, children and others' signals.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static void tell(int fd) {
  struct signalfd_siginfo i[4];
  ssize_t n = read(fd, i, sizeof i);
  if (n < 0) say("%s\n", strerrorname_np(errno));
  for (int k = 0; k < n / 128; k++)
    say("signal %u code %d%s\n", i[k].ssi_signo, i[k].ssi_code, i[k].ssi_signo == SIGCHLD ? i[k].ssi_status == 7 ? " status 7" : " ?" : "");
}
static void after(int ms) {
  struct itimerval t = {{0, 0}, {0, ms * 1000}};
  check(setitimer(ITIMER_REAL, &t, NULL) == 0);
}
int main(void) {
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, NULL);
  sigemptyset(&s);
  sigaddset(&s, SIGALRM), sigaddset(&s, SIGCHLD), sigaddset(&s, SIGUSR1);
  int fd = signalfd(-1, &s, SFD_CLOEXEC), ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 42};
  check(fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
  struct pollfd p = {fd, POLLIN, 0};
  show(poll(&p, 1, 0));
  after(20);
  show(poll(&p, 1, -1));
  say("revents %d\n", p.revents);
  tell(fd);
  show(poll(&p, 1, 0));
  after(20);
  fd_set r;
  FD_ZERO(&r);
  FD_SET(fd, &r);
  show(select(fd + 1, &r, NULL, NULL, NULL));
  tell(fd);
  after(20);
  show(epoll_wait(ep, &e, 1, -1));
  say("%u %u\n", e.events, e.data.u32);
  tell(fd);
  show(epoll_wait(ep, &e, 1, 10));
  after(20);
  tell(fd); // blocks
  for (int i = 0; i < 3; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    show(poll(&p, 1, -1));
    tell(fd);
    show_end("child", pid);
  }
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 5; i++) pause_ms(5), kill(parent, SIGUSR1);
    _exit(0);
  }
  int count = 0;
  for (int ended = 0; !ended;) {
    struct signalfd_siginfo i;
    check(read(fd, &i, sizeof i) == sizeof i);
    if (i.ssi_signo == SIGCHLD) ended = 1;
    else if (i.ssi_signo == SIGUSR1 && i.ssi_pid == (uint32_t)pid && i.ssi_code == SI_USER) count++;
    else check(0);
  }
  say("some of them came: %d\n", count > 0);
  show_end("child", pid);
  done();
}
