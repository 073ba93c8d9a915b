// Abstract: edge-triggered and one-shot epoll report once.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/socket.h>

int main(void) {
  int p[2], e = epoll_create(1);
  char b[16];
  struct epoll_event v = {EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, {.fd = 5}}, out[8];
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
  show(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  show(epoll_wait(e, out, 8, 0));
  say("%#x\n", out[0].events);
  show(epoll_wait(e, out, 8, 0));
  show(write(p[1], "one", 3));
  show(epoll_wait(e, out, 8, 0));
  say("%#x\n", out[0].events);
  show(epoll_wait(e, out, 8, 0));
  show(write(p[1], "two", 3));
  show(epoll_wait(e, out, 8, 0));
  show(read(p[0], b, sizeof b));
  show(close(p[1]));
  show(epoll_wait(e, out, 8, 0));
  say("%#x\n", out[0].events);
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p + 0) == 0);
  v = (struct epoll_event){EPOLLIN | EPOLLONESHOT, {.fd = 6}};
  show(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  show(write(p[1], "x", 1));
  int mine = 0;
  int n = epoll_wait(e, out, 8, 0);
  for (int i = 0; i < n; i++) mine += out[i].data.fd == 6;
  n = epoll_wait(e, out, 8, 0);
  for (int i = 0; i < n; i++) mine += out[i].data.fd == 6;
  say("one-shot %d\n", mine);
  show(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &v));
  n = epoll_wait(e, out, 8, 0);
  for (int i = 0; i < n; i++) mine += out[i].data.fd == 6;
  say("after re-arming %d\n", mine);
  done();
}
