// Abstract: signals that wait when a child becomes a set are there afterwards, in order.
// Protect: 20
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    sigset_t s, pending;
    siginfo_t i;
    sigfillset(&s);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    for (int k = 1; k < 4; k++) sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = k});
    pause_ms(60);
    sigpending(&pending);
    say("pending %d %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGRTMIN + 2),
        sigismember(&pending, SIGUSR2));
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 2);
    for (int k = 0; k < 3; k++) {
      check(sigwaitinfo(&s, &i) == SIGRTMIN + 2);
      say("%d from itself %d\n", i.si_value.sival_int, i.si_pid == getpid());
    }
    signal(SIGUSR1, SIG_DFL);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    _exit(0);
  }
  show_end("child", c);
  done();
}
