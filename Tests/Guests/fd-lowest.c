// Abstract: every call that makes a descriptor takes the lowest free number.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

int main(void) {
  int p[2];
  for (int i = 3; i < 12; i++) check(open("/dev/null", O_RDONLY) == i);
  close(3), close(5), close(6), close(9);
  show(open("/dev/zero", O_RDONLY));
  check(pipe(p) == 0);
  say("pipe %d %d\n", p[0], p[1]);
  show(epoll_create1(0));
  show(eventfd(0, 0));
  close(4);
  show(socket(AF_UNIX, SOCK_STREAM, 0));
  close(4), close(5);
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  say("pair %d %d\n", p[0], p[1]);
  close(7);
  show(timerfd_create(CLOCK_MONOTONIC, 0));
  close(7);
  show(inotify_init1(0));
  close(7);
  show(memfd_create("m", 0));
  close(0);
  show(dup(1));
  close(0);
  show(open("/dev/null", O_RDONLY));
  done();
}
