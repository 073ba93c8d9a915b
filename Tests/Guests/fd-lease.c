// Abstract: a lease, a directory's notification and O_ASYNC signal the process that asked, its handlers and sigwait.
#include "guest.h"
#include <poll.h>
#include <sys/socket.h>

static volatile sig_atomic_t seen, seen_fd;
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  seen = number;
  seen_fd = info->si_fd;
}

static int waited_for(sigset_t *set, siginfo_t *info) {
  struct timespec limit = {10, 0};
  return sigtimedwait(set, info, &limit);
}

int main(void) {
  struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  check(sigaction(SIGRTMIN + 3, &act, NULL) == 0);
  sigset_t io;
  sigemptyset(&io);
  sigaddset(&io, SIGIO);
  check(sigprocmask(SIG_BLOCK, &io, NULL) == 0);

  // Who opens the file for writing waits until the lease is given back.
  make_file("leased", "text");
  int fd = open("leased", O_RDONLY);
  check(fd >= 0);
  show(fcntl(fd, F_GETOWN));
  show(fcntl(fd, F_SETLEASE, F_RDLCK));
  show(fcntl(fd, F_GETLEASE) == F_RDLCK);
  say("owner is this process: %d\n", fcntl(fd, F_GETOWN) == getpid());
  pid_t child = fork();
  if (child == 0) {
    int other = open("leased", O_WRONLY);
    _exit(other >= 0 ? 0 : 1);
  }
  siginfo_t info;
  say("lease broken: %d\n", waited_for(&io, &info) == SIGIO);
  show(fcntl(fd, F_SETLEASE, F_UNLCK));
  show_end("child that waited for the lease", child);

  // With a signal of its own, which names the descriptor.
  show(fcntl(fd, F_SETSIG, SIGRTMIN + 3));
  show(fcntl(fd, F_SETLEASE, F_RDLCK));
  child = fork();
  if (child == 0) _exit(open("leased", O_WRONLY) >= 0 ? 0 : 1);
  while (!seen) poll(NULL, 0, 10);
  say("handler: SIGRTMIN + %d, its descriptor %d\n", (int)seen - SIGRTMIN, seen_fd == fd);
  show(fcntl(fd, F_SETLEASE, F_UNLCK));
  show_end("child that waited for the lease", child);
  close(fd);

  show(mkdir("d", 0755));
  int d = open("d", O_RDONLY | O_DIRECTORY);
  if (fcntl(d, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT) == 0) {
    make_file("d/a", "text");
    check(waited_for(&io, &info) == SIGIO);
    check(unlink("d/a") == 0);
    check(waited_for(&io, &info) == SIGIO);
    check(fcntl(d, F_NOTIFY, 0) == 0);
  } else check(errno == EINVAL); // a kernel without CONFIG_DNOTIFY
  close(d);

  int pair[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  show(fcntl(pair[0], F_SETOWN, getpid()));
  check(fcntl(pair[0], F_SETFL, fcntl(pair[0], F_GETFL) | O_ASYNC) == 0);
  check(write(pair[1], "x", 1) == 1);
  say("input: %d\n", waited_for(&io, &info) == SIGIO);
  done();
}
