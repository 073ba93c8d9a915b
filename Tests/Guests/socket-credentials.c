// Abstract: the pid in SO_PEERCRED and SCM_CREDENTIALS is the process' own, getpid().
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2], one = 1;
  char c = 'd', control[256] __attribute__((aligned(8)));
  struct ucred u;
  socklen_t n = sizeof u;
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  show(getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &u, &n));
  say("peer: me %d uid %d\n", u.pid == getpid(), u.uid == getuid());
  show(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
  show(write(p[0], "x", 1));
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  show(recvmsg(p[1], &m, 0));
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  check(h && h->cmsg_type == SCM_CREDENTIALS);
  memcpy(&u, CMSG_DATA(h), sizeof u);
  say("sender: me %d uid %d\n", u.pid == getpid(), u.uid == getuid());
  done();
}
