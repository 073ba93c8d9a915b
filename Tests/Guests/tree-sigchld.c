// Abstract: SIGCHLD says who ended and how, in a child, too.
// Protect: 0
#include "guest.h"

static volatile int count, status_sum;
static volatile pid_t last;
static void handler(int sig, siginfo_t *i, void *c) {
  (void)sig, (void)c;
  count++;
  last = i->si_pid;
  status_sum += i->si_status * 10 + (i->si_code == CLD_EXITED);
}
int main(void) {
  pid_t middle = fork();
  if (middle == 0) {
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t s, before;
    sigemptyset(&s);
    sigaddset(&s, SIGCHLD);
    sigprocmask(SIG_BLOCK, &s, &before);
    sigaction(SIGCHLD, &a, NULL);
    for (int i = 1; i < 6; i++) {
      pid_t c = fork();
      if (c == 0) _exit(i);
      while (count < i) sigsuspend(&before);
      show(last == c);
      show_end("child", c);
    }
    say("%d, %d\n", count, status_sum);
    _exit(0);
  }
  show_end("middle", middle);
  done();
}
