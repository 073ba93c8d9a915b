// Abstract: which blocking calls SA_RESTART takes up again and which end with EINTR.
#include "guest.h"
#include <sys/epoll.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static int p[2], pair[2], ep, locked;
static volatile int hits, restarts;
// What was restarted would wait for ever: at the second signal it gets what it waits for.
static void handler(int s) {
  (void)s;
  if (++hits < 2) return;
  restarts = 1;
  struct itimerval off = {0};
  setitimer(ITIMER_REAL, &off, NULL);
  check(write(p[1], "x", 1) == 1 && write(pair[1], "y", 1) == 1);
  if (locked >= 0) close(locked), locked = -1;
}
static void begin(void) {
  hits = restarts = 0;
  struct itimerval v = {{0, 60000}, {0, 60000}}; // long before that the call has begun
  setitimer(ITIMER_REAL, &v, NULL);
}
static void end(const char *what, long r) {
  int error = errno;
  struct itimerval off = {0};
  setitimer(ITIMER_REAL, &off, NULL);
  say("%s: %s\n", what, restarts ? "restarted" : r < 0 ? strerrorname_np(error) : "?");
  char rest[64];
  fcntl(p[0], F_SETFL, O_NONBLOCK), fcntl(pair[0], F_SETFL, O_NONBLOCK);
  while (read(p[0], rest, sizeof rest) > 0 || read(pair[0], rest, sizeof rest) > 0) {}
  fcntl(p[0], F_SETFL, 0), fcntl(pair[0], F_SETFL, 0);
}
#define TRY(call) begin(), errno = 0, end(#call, call)
int main(void) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  check(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  check(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
  int lock = open("lock", O_RDWR | O_CREAT, 0644);
  locked = open("lock", O_RDWR);
  check(flock(locked, LOCK_EX) == 0);
  char c;
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  struct pollfd f = {p[0], POLLIN, 0};
  struct timespec t = {3, 0};
  fd_set set;
  TRY(read(p[0], &c, 1));
  TRY(readv(p[0], &v, 1));
  TRY(recv(pair[0], &c, 1, 0));
  TRY(recvfrom(pair[0], &c, 1, 0, NULL, NULL));
  TRY(recvmsg(pair[0], &m, 0));
  TRY(poll(&f, 1, -1));
  TRY(ppoll(&f, 1, NULL, NULL));
  FD_ZERO(&set);
  FD_SET(p[0], &set);
  TRY(select(p[0] + 1, &set, NULL, NULL, NULL));
  TRY(epoll_wait(ep, &e, 1, -1));
  TRY(nanosleep(&t, NULL));
  TRY(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) ? (errno = EINTR, -1) : 0);
  TRY(pause());
  TRY(flock(lock, LOCK_EX));
  done();
}
