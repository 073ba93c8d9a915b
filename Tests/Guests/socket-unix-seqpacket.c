// Abstract: a SEQPACKET pair keeps the bounds of messages and reports truncation.
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2];
  char b[8];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) == 0);
  show(send(p[0], "longer than eight", 17, 0));
  show(send(p[0], "short", 5, MSG_EOR));
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  show(recvmsg(p[1], &m, 0));
  say("flags %#x\n", m.msg_flags & MSG_TRUNC);
  show(recvmsg(p[1], &m, 0));
  say("flags %#x\n", m.msg_flags & MSG_TRUNC);
  int type = 0;
  socklen_t n = sizeof type;
  show(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &type, &n));
  say("type %d\n", type);
  show(close(p[0]));
  show(recvmsg(p[1], &m, 0));
  show(send(p[1], "x", 1, MSG_NOSIGNAL));
  done();
}
