// Abstract: a UNIX socket with an automatic abstract name, and accept4's flags.
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  socklen_t n = sizeof a;
  int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  show(bind(s, (void *)&a, sizeof(sa_family_t)));
  show(getsockname(s, (void *)&a, &n));
  say("%u bytes, first %d\n", n, a.sun_path[0]);
  show(listen(s, 1));
  show(connect(c, (void *)&a, n));
  int d = accept4(s, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  say("%d %d %d\n", d, fcntl(d, F_GETFD), fcntl(d, F_GETFL) & O_NONBLOCK);
  char b;
  show(read(d, &b, 1));
  done();
}
