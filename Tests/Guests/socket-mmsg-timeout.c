// Abstract: recvmmsg with a time limit takes what comes, looking at the clock after each message.
// Collapse: yes
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2];
  char in[4][8];
  check(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
  struct iovec to[4];
  struct mmsghdr r[4] = {0};
  for (int i = 0; i < 4; i++) {
    to[i] = (struct iovec){in[i], sizeof in[i]};
    r[i].msg_hdr.msg_iov = to + i, r[i].msg_hdr.msg_iovlen = 1;
  }
  struct timespec t = {1, 0};
  show(send(p[0], "one", 3, 0));
  show(send(p[0], "three", 5, 0));
  show(recvmmsg(p[1], r, 2, 0, &t));
  say("got %u %u\n", r[0].msg_len, r[1].msg_len);
  show(send(p[0], "x", 1, 0));
  show(recvmmsg(p[1], r, 4, MSG_WAITFORONE, &t));
  t = (struct timespec){0, -1};
  show(recvmmsg(p[1], r, 4, 0, &t));
  done();
}
