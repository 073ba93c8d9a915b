// Abstract: a UNIX stream server and its client in one process.
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer;
  socklen_t n = sizeof peer;
  char b[64] = "";
  int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  show(connect(c, (void *)&a, sizeof a));
  show(bind(s, (void *)&a, sizeof a));
  show(bind(c, (void *)&a, sizeof a));
  show(connect(c, (void *)&a, sizeof a));
  show(listen(s, 5));
  show(connect(c, (void *)&a, sizeof a));
  int d = accept(s, (void *)&peer, &n);
  say("accepted %d, name of %u bytes\n", d, n);
  show(send(c, "ping", 4, 0));
  show(recv(d, b, sizeof b, 0));
  show(write(d, "pong pong", 9));
  show(read(c, b, 4));
  show(read(c, b, sizeof b));
  n = sizeof peer;
  show(getpeername(c, (void *)&peer, &n));
  say("peer %s %u\n", peer.sun_path, n);
  n = sizeof peer;
  show(getsockname(d, (void *)&peer, &n));
  show(shutdown(c, SHUT_WR));
  show(read(d, b, 1));
  show(send(c, "x", 1, MSG_NOSIGNAL));
  show(send(d, "y", 1, 0));
  show(recv(c, b, 1, 0));
  show(close(d));
  show(recv(c, b, 1, 0));
  show(connect(c, (void *)&a, sizeof a));
  done();
}
