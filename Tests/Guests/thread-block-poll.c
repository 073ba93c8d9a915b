// Abstract: threads in poll, ppoll, select, pselect and epoll_wait on one pipe and with time-outs, while others run.
#include "thread.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int fds[2], ep;
static sem_t ready;
static int timeout_ms;
static void *waits(void *arg) {
  struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000l}, *tp = timeout_ms < 0 ? NULL : &t;
  struct timeval v = {timeout_ms / 1000, timeout_ms % 1000 * 1000}, *vp = timeout_ms < 0 ? NULL : &v;
  struct pollfd p = {.fd = fds[0], .events = POLLIN};
  struct epoll_event e;
  fd_set s;
  FD_ZERO(&s);
  FD_SET(fds[0], &s);
  int64_t before = now_ns(CLOCK_MONOTONIC);
  long r = -1;
  up(&ready);
  switch ((long)arg) {
  case 0: r = poll(&p, 1, timeout_ms); break;
  case 1: r = ppoll(&p, 1, tp, NULL); break;
  case 2: r = select(fds[0] + 1, &s, NULL, NULL, vp); break;
  case 3: r = pselect(fds[0] + 1, &s, NULL, NULL, tp, NULL); break;
  case 4: r = epoll_wait(ep, &e, 1, timeout_ms); break;
  case 5: r = epoll_pwait(ep, &e, 1, timeout_ms, NULL); break;
  }
  if (r == 0) check(now_ns(CLOCK_MONOTONIC) - before >= timeout_ms * 1000000ll - 1000000);
  return (void *)r;
}
static void all(int ms) {
  pthread_t t[6];
  timeout_ms = ms;
  for (long i = 0; i < 6; i++) t[i] = start(waits, (void *)i);
  for (int i = 0; i < 6; i++) down(&ready);
  let_them_block();
  if (ms < 0) check(write(fds[1], "x", 1) == 1);
  for (int i = 0; i < 6; i++) say("%ld ", end(t[i]));
  say("\n");
}

int main(void) {
  sem_init(&ready, 0, 0);
  check(pipe(fds) == 0);
  ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  check(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e) == 0);
  all(10);
  all(-1);
  all(60000); // ready at once
  done();
}
