// Abstract: urgent data on TCP: MSG_OOB, SIOCATMARK, SO_OOBINLINE.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), mark = -1;
  check(bind(s, (void *)&a, n) == 0 && listen(s, 1) == 0 && getsockname(s, (void *)&a, &n) == 0);
  check(connect(c, (void *)&a, n) == 0);
  int d = accept(s, NULL, NULL);
  char b[16] = "";
  show(send(c, "abc", 3, 0));
  show(send(c, "!", 1, MSG_OOB));
  struct pollfd p = {d, POLLPRI, 0};
  show(poll(&p, 1, 5000));
  show(recv(d, b, 1, MSG_OOB));
  say("%s\n", b);
  show(recv(d, b, 16, 0));
  show(ioctl(d, SIOCATMARK, &mark));
  say("at mark %d\n", mark);
  show(recv(d, b, 1, MSG_OOB));
  done();
}
