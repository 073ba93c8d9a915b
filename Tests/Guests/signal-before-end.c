// Abstract: a signal that a child sends before it ends has come when the child has been waited for.
#include "guest.h"

static volatile sig_atomic_t got;
static void handler(int s) {
  (void)s;
  got++;
}

int main(void) {
  int late = 0;
  struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
  check(sigaction(SIGUSR1, &act, NULL) == 0);
  for (int n = 1; n <= 300; n++) {
    pid_t child = fork();
    if (child == 0) {
      kill(getppid(), SIGUSR1);
      _exit(0);
    }
    // Waited for at once, or when it has ended already.
    if (n % 2) pause_ms(1);
    check(waitpid(child, NULL, 0) == child);
    if (got != n) late++;
    while (got < n) pause_ms(1);
  }
  say("late: %d\n", late);
  done();
  return 0;
}
