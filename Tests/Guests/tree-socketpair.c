// Abstract: a parent and a child talk over a socket pair.
// Protect: 0
#include "guest.h"
#include <sys/socket.h>

int main(void) {
  int s[2];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
  pid_t c = fork();
  if (c == 0) {
    close(s[0]);
    uint32_t v[2];
    ssize_t n;
    while ((n = recv(s[1], v, sizeof v, 0)) > 0) {
      v[1] = v[0] * 3 + v[1];
      check(send(s[1], v, sizeof v, 0) == sizeof v);
    }
    _exit(0);
  }
  close(s[1]);
  uint32_t v[2] = {1, 1};
  for (uint32_t i = 1; i <= 500; i++) {
    v[0] = i;
    check(send(s[0], v, sizeof v, 0) == sizeof v && recv(s[0], v, sizeof v, 0) == sizeof v);
  }
  say("%u\n", v[1]);
  close(s[0]);
  show_end("child", c);
  done();
}
