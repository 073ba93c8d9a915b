// Abstract: a process that has given up its rights sends with its own uid, and only to whom it may.
// Protect: 0
#include "guest.h"
#include <grp.h>

static int ready[2], sender[2], seen[2];
static void receive(void) {
  siginfo_t i;
  sigset_t s;
  pid_t me = getpid(), from;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, NULL);
  check(write(ready[1], &me, sizeof me) == sizeof me);
  for (int k = 0; k < 2; k++) {
    memset(&i, 0, sizeof i);
    check(sigwaitinfo(&s, &i) == SIGUSR1);
    check(read(sender[0], &from, sizeof from) == sizeof from);
    say("got: sender %d uid %d\n", i.si_pid == from, (int)i.si_uid);
    check(write(seen[1], "r", 1) == 1);
  }
}
static void send_to(pid_t other) {
  char b;
  pid_t me = getpid();
  show(kill(1, SIGCONT));
  show(kill(getppid(), 0));
  show(kill(getppid(), SIGUSR2));
  if (show(kill(other, SIGUSR1)) == 0) check(write(sender[1], &me, sizeof me) == sizeof me && read(seen[0], &b, 1) == 1);
  show(getuid());
  show(geteuid());
  if (show(seteuid(0)) < 0) return;
  show(kill(getppid(), 0));
  show(kill(getppid(), SIGUSR2));
}
static void run(const char *what, uid_t real, uid_t effective, uid_t saved, pid_t other) {
  pid_t pid = fork();
  if (pid == 0) {
    check(setresuid(real, effective, saved) == 0);
    send_to(other);
    _exit(0);
  }
  show_end(what, pid);
}
int main(void) {
  if (geteuid() != 0) { // natively, too
    done();
    return 0;
  }
  pid_t receiver;
  signal(SIGUSR2, SIG_IGN);
  check(pipe(ready) == 0 && pipe(sender) == 0 && pipe(seen) == 0 && setgroups(0, NULL) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    check(setresuid(2001, 2001, 2001) == 0);
    pid = fork();
    if (pid == 0) { // of that user all along
      receive();
      _exit(0);
    }
    int status;
    _exit(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1);
  }
  check(read(ready[0], &receiver, sizeof receiver) == sizeof receiver);
  run("another", 2002, 2002, 2002, receiver);
  run("the same", 2001, 2001, 2001, receiver);
  run("for a while", 2001, 2001, 0, receiver);
  show_end("its parent", pid);
  done();
}
