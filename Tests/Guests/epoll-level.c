// Abstract: level-triggered epoll reports until drained, with its data, adds and deletes.
#include "guest.h"
#include <sys/epoll.h>

int main(void) {
  int p[2], q[2], e = epoll_create1(EPOLL_CLOEXEC);
  char b[16];
  struct epoll_event v = {EPOLLIN, {.u64 = 0x1122334455667788}}, out[8];
  check(pipe(p) == 0 && pipe(q) == 0);
  show(epoll_wait(e, out, 8, 0));
  show(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  show(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  show(epoll_wait(e, out, 8, 0));
  show(write(p[1], "abcdef", 6));
  show(epoll_wait(e, out, 8, -1));
  say("%#x %#lx\n", out[0].events, (long)out[0].data.u64);
  show(read(p[0], b, 3));
  show(epoll_wait(e, out, 8, -1));
  show(read(p[0], b, 3));
  show(epoll_wait(e, out, 8, 10));
  v = (struct epoll_event){EPOLLOUT, {.u32 = 7}};
  show(epoll_ctl(e, EPOLL_CTL_ADD, q[1], &v));
  show(epoll_wait(e, out, 8, -1));
  say("%#x %u\n", out[0].events, out[0].data.u32);
  v.data.u32 = 9;
  show(epoll_ctl(e, EPOLL_CTL_MOD, q[1], &v));
  show(epoll_wait(e, out, 1, -1));
  say("%u\n", out[0].data.u32);
  show(epoll_ctl(e, EPOLL_CTL_DEL, q[1], NULL));
  show(epoll_ctl(e, EPOLL_CTL_DEL, q[1], NULL));
  show(close(p[1]));
  show(epoll_wait(e, out, 8, -1));
  say("%#x\n", out[0].events);
  int f = open("f", O_RDWR | O_CREAT, 0644);
  show(epoll_ctl(e, EPOLL_CTL_ADD, f, &v));
  show(epoll_ctl(e, EPOLL_CTL_ADD, 99, &v));
  show(epoll_wait(e, out, 0, 0));
  show(epoll_wait(f, out, 1, 0));
  done();
}
