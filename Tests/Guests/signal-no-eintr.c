// Abstract: Calls that do not wait are not interrupted by handlers without SA_RESTART, however many signals come.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

static volatile int handled;
static void count(int signo) {
  (void)signo;
  handled++;
}

int main(void) {
  struct sigaction act = {.sa_handler = count}; // no SA_RESTART
  sigaction(SIGALRM, &act, NULL);
  int ends[2], pair[2], interrupted[12] = {0}, waiting;
  char byte = 'x';
  check(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), events = epoll_create1(0);
  check(listen(listener, 1) == 0);
  struct epoll_event event = {.events = EPOLLIN};
  check(epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) == 0);
  struct itimerval often = {{0, 300}, {0, 300}};
  check(setitimer(ITIMER_REAL, &often, NULL) == 0);
  while (handled < 500) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    interrupted[0] += fd < 0;
    interrupted[1] += ioctl(ends[0], FIONREAD, &waiting) < 0;
    interrupted[2] += fcntl(ends[0], F_GETFL) < 0;
    interrupted[3] += flock(fd, LOCK_SH) < 0;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    interrupted[4] += fcntl(fd, F_SETLKW, &lock) < 0;
    interrupted[5] += write(ends[1], &byte, 1) < 0;
    interrupted[6] += read(ends[0], &byte, 1) < 0;
    interrupted[7] += send(pair[0], &byte, 1, 0) < 0;
    interrupted[8] += recv(pair[1], &byte, 1, 0) < 0;
    interrupted[9] += accept(listener, NULL, NULL) < 0 && errno == EINTR;
    interrupted[10] += epoll_wait(events, &event, 1, 0) < 0;
    struct pollfd now = {.fd = pair[0], .events = POLLOUT};
    interrupted[11] += poll(&now, 1, -1) < 0;
    if (fd >= 0) close(fd);
  }
  struct itimerval never = {{0, 0}, {0, 0}};
  check(setitimer(ITIMER_REAL, &never, NULL) == 0);
  for (int i = 0; i < 12; i++) show(interrupted[i]);
  done();
}
