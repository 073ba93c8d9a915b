// Abstract: duplicates of a signalfd have one mask, which can be changed; a child and another program have it, too.
#include "guest.h"
#include <poll.h>
#include <sys/signalfd.h>

static int ready(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, 0);
}
static void tell(int fd) {
  struct signalfd_siginfo i;
  ssize_t n = read(fd, &i, sizeof i);
  if (n < 0) say("%s\n", strerrorname_np(errno));
  else say("signal %u\n", i.ssi_signo);
}
int main(int argc, char **argv) {
  if (argc > 1) {
    int fd = atoi(argv[1]);
    say("new program: %d\n", ready(fd));
    tell(fd);
    raise(SIGUSR1);
    tell(fd);
    done();
    return 0;
  }
  sigset_t s, t;
  sigemptyset(&s), sigemptyset(&t);
  sigaddset(&s, SIGUSR1), sigaddset(&t, SIGUSR2);
  sigset_t both = s;
  sigaddset(&both, SIGUSR2);
  sigprocmask(SIG_BLOCK, &both, NULL);
  int fd = signalfd(-1, &s, SFD_NONBLOCK), two = dup(fd), three = fcntl(fd, F_DUPFD, 20), four = dup2(fd, 30);
  say("%d %d %d\n", two > fd, three, four);
  raise(SIGUSR2);
  say("%d %d\n", ready(fd), ready(three));
  show(signalfd(four, &t, 0) == four);
  say("%d %d\n", ready(fd), ready(three));
  tell(two);
  tell(two);
  show(signalfd(1, &t, 0));
  show(signalfd(99, &t, 0));
  show(syscall(289, -1, &t, 4, 0));
  show(signalfd(-1, &t, 0x100));
  check(close(fd) == 0 && close(two) == 0);
  raise(SIGUSR2);
  tell(four);
  check(pipe((int[2]){0, 0}) == 0); // takes the number of the one that was closed
  show(read(fd, &s, 0));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    say("child: %d\n", ready(four));
    raise(SIGUSR2);
    say("child: %d\n", ready(four));
    tell(four);
    _exit(0);
  }
  show_end("child", pid);
  tell(four);
  raise(SIGUSR2);
  sigprocmask(SIG_BLOCK, &both, NULL);
  check(signalfd(four, &both, 0) == four);
  char number[8];
  sprintf(number, "%d", four);
  execl("/proc/self/exe", argv[0], number, NULL);
}
