// Abstract: connect fails with ECONNREFUSED, also when it was started non-blocking.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM, 0), error = 0;
  check(bind(s, (void *)&a, sizeof a) == 0 && getsockname(s, (void *)&a, &n) == 0);
  int c = socket(AF_INET, SOCK_STREAM, 0);
  show(connect(c, (void *)&a, sizeof a));
  int d = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int r = connect(d, (void *)&a, sizeof a);
  check(r < 0 && (errno == EINPROGRESS || errno == ECONNREFUSED));
  struct pollfd p = {d, POLLOUT, 0};
  show(poll(&p, 1, 5000));
  n = sizeof error;
  show(getsockopt(d, SOL_SOCKET, SO_ERROR, &error, &n));
  if (r < 0) say("error %s\n", error ? strerrorname_np(error) : "none");
  show(listen(s, 1));
  d = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  r = connect(d, (void *)&a, sizeof a);
  check(r == 0 || errno == EINPROGRESS);
  p = (struct pollfd){d, POLLOUT, 0};
  show(poll(&p, 1, 5000));
  show(getsockopt(d, SOL_SOCKET, SO_ERROR, &error, &n));
  say("error %d\n", error);
  done();
}
