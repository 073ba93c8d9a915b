// Abstract: masks, ignored signals and the alternate stack outlive becoming a set.
// Protect: 20
#include "guest.h"

static volatile int on_alt;
static char alt[32768];
static void handler(int sig) {
  char here;
  on_alt = sig && &here >= alt && &here < alt + sizeof alt;
}
int main(void) {
  pid_t c = fork();
  if (c == 0) {
    stack_t st = {.ss_sp = alt, .ss_size = sizeof alt}, now;
    struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART}, got;
    sigset_t s, old;
    check(sigaltstack(&st, NULL) == 0);
    sigemptyset(&a.sa_mask);
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &a, NULL);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGSYS);
    sigprocmask(SIG_SETMASK, &s, NULL);
    raise(SIGUSR1);
    say("on its stack %d\n", on_alt);
    for (int i = 0; i < 2; i++) {
      sigprocmask(SIG_BLOCK, NULL, &old);
      sigaction(SIGUSR1, NULL, &got);
      check(sigaltstack(NULL, &now) == 0);
      say("%d %d %d, %d %d %d, %d %d\n", sigismember(&old, SIGTERM), sigismember(&old, SIGSYS), sigismember(&old, SIGHUP),
          got.sa_handler == handler, (got.sa_flags & (SA_ONSTACK | SA_RESTART)) == (SA_ONSTACK | SA_RESTART),
          sigismember(&got.sa_mask, SIGUSR2), now.ss_sp == alt, (int)now.ss_size);
      pause_ms(60);
      on_alt = 0;
      raise(SIGUSR1);
      say("on its stack %d\n", on_alt);
    }
    raise(SIGHUP);
    raise(SIGTERM);
    sigemptyset(&s);
    sigprocmask(SIG_SETMASK, &s, NULL);
    _exit(0);
  }
  show_end("child", c);
  done();
}
