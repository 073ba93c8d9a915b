// Abstract: a blocked read, poll, sleep and accept end with EINTR when a handler ran.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static volatile int hits;
static void handler(int sig) { hits += sig == SIGALRM; }
static void soon(void) {
  struct itimerval v = {{0, 0}, {0, 15000}};
  setitimer(ITIMER_REAL, &v, NULL);
}

int main(void) {
  struct sigaction a = {.sa_handler = handler};
  sigaction(SIGALRM, &a, NULL);
  int p[2];
  char c;
  check(pipe(p) == 0);
  soon();
  show(read(p[0], &c, 1));
  soon();
  struct pollfd f = {p[0], POLLIN, 0};
  show(poll(&f, 1, -1));
  soon();
  struct timespec t = {5, 0}, left = {0, 0};
  show(nanosleep(&t, &left));
  check(left.tv_sec == 4);
  soon();
  struct epoll_event e;
  show(epoll_wait(epoll_create1(0), &e, 1, -1));
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "s"};
  check(bind(s, (void *)&u, sizeof u) == 0 && listen(s, 1) == 0);
  soon();
  show(accept(s, NULL, NULL));
  soon();
  say("left %u\n", sleep(5));
  say("%d signals\n", hits);
  done();
}
