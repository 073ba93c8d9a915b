// Abstract: SO_RCVTIMEO and SO_SNDTIMEO end a blocked call with EAGAIN after their time.
#include "guest.h"
#include <sys/socket.h>
#include <sys/time.h>

int main(void) {
  static char data[1 << 20];
  int p[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  struct timeval t = {0, 30000};
  show(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  int64_t before = now_ns(CLOCK_MONOTONIC);
  show(recv(p[0], data, 1, 0));
  check(now_ns(CLOCK_MONOTONIC) - before >= 30000000);
  show(setsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
  before = now_ns(CLOCK_MONOTONIC);
  ssize_t n, sent = 0;
  while ((n = send(p[0], data, sizeof data, 0)) > 0) sent += n;
  say("%s\n", strerrorname_np(errno));
  check(sent > 0 && now_ns(CLOCK_MONOTONIC) - before >= 30000000);
  ssize_t got = 0;
  while ((n = recv(p[1], data, sizeof data, MSG_DONTWAIT)) > 0) got += n;
  check(got == sent);
  done();
}
