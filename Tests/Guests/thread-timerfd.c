// Abstract: threads read timerfds, periodic and single, one of them through epoll.
#include "thread.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

static void *once(void *arg) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec s = {{0, 0}, {0, 5000000 * ((long)arg + 1)}};
  uint64_t n;
  check(timerfd_settime(fd, 0, &s, NULL) == 0 && read(fd, &n, 8) == 8 && n == 1 && close(fd) == 0);
  return (void *)(long)n;
}
static void *periodic(void *arg) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = epoll_create1(0);
  struct itimerspec s = {{0, 2000000}, {0, 2000000}};
  struct epoll_event e = {.events = EPOLLIN};
  uint64_t n, sum = 0;
  check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0 && timerfd_settime(fd, 0, &s, NULL) == 0);
  while (sum < 5) {
    check(epoll_wait(ep, &e, 1, -1) == 1);
    if (read(fd, &n, 8) == 8) sum += n;
  }
  check(close(fd) == 0 && close(ep) == 0);
  return arg;
}

int main(void) {
  pthread_t t[6];
  for (long i = 0; i < 6; i++) t[i] = start(i % 2 ? once : periodic, (void *)i);
  long sum = 0;
  for (int i = 0; i < 6; i++) sum += end(t[i]);
  say("%ld\n", sum);
  done();
}
