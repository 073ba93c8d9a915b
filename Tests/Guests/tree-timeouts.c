// Abstract: becoming a set interrupts no call, and none takes longer or less.
// Protect: 20
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

static int64_t begun;
static void ended(const char *what, long result) {
  int64_t took = (now_ns(CLOCK_MONOTONIC) - begun) / 1000000;
  say("%s: %ld after %s\n", what, result, took < 120 ? "too short a time" : "120 ms");
}
int main(void) {
  for (int i = 0; i < 8; i++) {
    pid_t c = fork();
    if (c == 0) {
      struct timespec t = {0, 120000000}, left = {7, 7};
      struct timeval v = {0, 120000};
      struct pollfd f = {-1, 0, 0};
      struct epoll_event e;
      sigset_t s;
      int ep = epoll_create1(0), word = 0;
      sigemptyset(&s);
      sigaddset(&s, SIGUSR1);
      sigprocmask(SIG_BLOCK, &s, NULL);
      begun = now_ns(CLOCK_MONOTONIC);
      switch (i) {
      case 0: ended("nanosleep", nanosleep(&t, &left)); break;
      case 1: ended("poll", poll(&f, 1, 120)); break;
      case 2: ended("select", select(0, NULL, NULL, NULL, &v)); break;
      case 3: ended("epoll_wait", epoll_wait(ep, &e, 1, 120)); break;
      case 4: ended("ppoll", ppoll(&f, 1, &t, &s)); break;
      case 5: ended("sigtimedwait", sigtimedwait(&s, NULL, &t)); break;
      case 6: ended("futex", syscall(SYS_futex, &word, 0, 0, &t)); break;
      case 7: ended("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL)); break;
      }
      say("errno %s\n", errno ? strerrorname_np(errno) : "0");
      _exit(0);
    }
    show_end("child", c);
  }
  done();
}
