// Abstract: IPv6 loopback works or is refused, as natively.
#include "guest.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  socklen_t n = sizeof a;
  char b[8] = "";
  int s = show(socket(AF_INET6, SOCK_STREAM, 0)), c = show(socket(AF_INET6, SOCK_STREAM, 0));
  if (show(bind(s, (void *)&a, n)) == 0) {
    show(listen(s, 1));
    show(getsockname(s, (void *)&a, &n));
    show(connect(c, (void *)&a, n));
    int d = accept(s, NULL, NULL);
    show(send(d, "six", 3, 0));
    show(recv(c, b, 3, MSG_WAITALL));
    say("%s\n", b);
  }
  done();
}
