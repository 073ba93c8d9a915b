// Abstract: sendmsg and recvmsg gather and scatter, with names and flags.
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2];
  char a[4] = "", b[100] = "";
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  struct iovec out[3] = {{"gather", 6}, {NULL, 0}, {" these parts", 12}};
  struct msghdr m = {.msg_iov = out, .msg_iovlen = 3};
  show(sendmsg(p[0], &m, 0));
  struct iovec in[2] = {{a, 3}, {b, 50}};
  struct msghdr r = {.msg_iov = in, .msg_iovlen = 2};
  show(recvmsg(p[1], &r, MSG_PEEK));
  show(recvmsg(p[1], &r, 0));
  say("[%s][%s] flags %#x control %zu\n", a, b, r.msg_flags, r.msg_controllen);
  show(recvmsg(p[1], &r, MSG_DONTWAIT));
  m.msg_iovlen = 0;
  show(sendmsg(p[0], &m, 0));
  m.msg_iov = (void *)8, m.msg_iovlen = 1;
  show(sendmsg(p[0], &m, 0));
  show(sendmsg(p[0], (void *)8, 0));
  m.msg_iov = out, m.msg_iovlen = 3;
  show(sendmsg(99, &m, 0));
  show(close(p[1]));
  show(sendmsg(p[0], &m, MSG_NOSIGNAL));
  done();
}
