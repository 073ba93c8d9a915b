// Abstract: sendmmsg and recvmmsg move several datagrams at once and count each.
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2];
  char in[6][8];
  check(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
  struct iovec out[4] = {{"a", 1}, {"bb", 2}, {"", 0}, {"dddddddddddd", 12}}, to[6];
  struct mmsghdr m[4] = {0}, r[6] = {0};
  for (int i = 0; i < 4; i++) m[i].msg_hdr.msg_iov = out + i, m[i].msg_hdr.msg_iovlen = 1;
  for (int i = 0; i < 6; i++) {
    to[i] = (struct iovec){in[i], sizeof in[i]};
    r[i].msg_hdr.msg_iov = to + i, r[i].msg_hdr.msg_iovlen = 1;
  }
  show(sendmmsg(p[0], m, 4, 0));
  for (int i = 0; i < 4; i++) say("sent %u\n", m[i].msg_len);
  show(recvmmsg(p[1], r, 2, 0, NULL));
  show(recvmmsg(p[1], r + 2, 4, MSG_WAITFORONE, NULL));
  for (int i = 0; i < 4; i++) say("got %u %.*s %#x\n", r[i].msg_len, (int)r[i].msg_len, in[i], r[i].msg_hdr.msg_flags);
  show(recvmmsg(p[1], r, 6, MSG_DONTWAIT, NULL));
  show(sendmmsg(p[0], m, 0, 0));
  done();
}
