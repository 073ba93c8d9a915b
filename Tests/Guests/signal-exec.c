// Abstract: over an exec ignored signals stay so, handlers go, the mask and what is pending stay.
#include "guest.h"

static void handler(int s) { say("handler %d\n", s); }
int main(int argc, char **argv) {
  struct sigaction a;
  sigset_t now, pending;
  if (argc > 1) {
    for (int s = 10; s < 16; s++) {
      sigaction(s, NULL, &a);
      say("%d: %s\n", s, a.sa_handler == SIG_IGN ? "ignored" : a.sa_handler == SIG_DFL ? "default" : "?");
    }
    sigprocmask(SIG_BLOCK, NULL, &now);
    sigpending(&pending);
    say("blocked %d %d, pending %d %d\n", sigismember(&now, SIGUSR2), sigismember(&now, SIGALRM), sigismember(&pending, SIGUSR2),
        sigismember(&pending, SIGRTMIN));
    signal(SIGUSR2, handler);
    sigemptyset(&now);
    sigaddset(&now, SIGUSR2);
    sigprocmask(SIG_UNBLOCK, &now, NULL);
    stack_t st;
    sigaltstack(NULL, &st);
    say("alternate stack: %d\n", st.ss_flags != SS_DISABLE);
    done();
    return 0;
  }
  static char stack[65536];
  stack_t st = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&st, NULL);
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, handler);
  signal(SIGTERM, handler);
  sigemptyset(&now);
  sigaddset(&now, SIGUSR2), sigaddset(&now, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &now, NULL);
  raise(SIGUSR2);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 3});
  execl("/proc/self/exe", argv[0], "again", NULL);
}
