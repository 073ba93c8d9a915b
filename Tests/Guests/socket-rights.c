// Abstract: SCM_RIGHTS passes open descriptors.
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int p[2];
  char c = 'd', control[256] __attribute__((aligned(8))), text[16] = "";
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  check(write(fd, "passed on", 9) == 9);
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
  memset(control, 0, sizeof control);
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(h), (int[]){fd, 1}, 2 * sizeof(int));
  show(sendmsg(p[0], &m, 0));
  show(close(fd));
  m.msg_controllen = sizeof control;
  show(recvmsg(p[1], &m, MSG_CMSG_CLOEXEC));
  say("flags %#x\n", m.msg_flags & ~MSG_CMSG_CLOEXEC);
  for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    if (h->cmsg_type == SCM_RIGHTS) {
      int got[2];
      memcpy(got, CMSG_DATA(h), sizeof got);
      say("rights %d %d, %d\n", got[0], got[1], fcntl(got[0], F_GETFD));
      show(pread(got[0], text, 15, 0));
      say("%s\n", text);
    }
  }
  done();
}
