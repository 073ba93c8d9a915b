// Abstract: several threads wait at one epoll descriptor, with EPOLLONESHOT and EPOLLEXCLUSIVE, and share the work.
#include "thread.h"
#include <sys/epoll.h>

enum { N = 4, PIPES = 8, EACH = 30 };
static int ep, fds[PIPES][2];
static atomic_int got;
static void *works(void *arg) {
  for (;;) {
    struct epoll_event e;
    check(epoll_wait(ep, &e, 1, -1) == 1);
    if (e.data.u32 == 999) return arg;
    char b;
    int k = (int)e.data.u32;
    check(read(fds[k][0], &b, 1) == 1);
    got++;
    e.events = EPOLLIN | EPOLLONESHOT;
    check(epoll_ctl(ep, EPOLL_CTL_MOD, fds[k][0], &e) == 0);
  }
}
static void *sends(void *arg) {
  for (int i = 0; i < EACH; i++)
    for (int k = 0; k < PIPES; k++) check(write(fds[k][1], "x", 1) == 1);
  return arg;
}

int main(void) {
  pthread_t t[N], s;
  ep = epoll_create1(0);
  for (uint32_t i = 0; i < PIPES; i++) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = i};
    check(pipe(fds[i]) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fds[i][0], &e) == 0);
  }
  for (int i = 0; i < N; i++) t[i] = start(works, NULL);
  s = start(sends, NULL);
  end(s);
  while (got < EACH * PIPES) pause_ms(1);
  int stop[2];
  struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = 999};
  check(pipe(stop) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, stop[0], &e) == 0 && write(stop[1], "x", 1) == 1);
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d\n", got);
  done();
}
