// no-child - counts as counter does, and ends with 1 when it is told of a child: it has none.
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void told(int signo) {
  (void)signo;
  _exit(1);
}

int main(void) {
  signal(SIGCHLD, told);
  for (unsigned round = 0;; round++) {
    char line[32];
    int length = snprintf(line, sizeof line, "%u\n", round);
    if (write(1, line, (size_t)length) != length) return 1;
    struct timespec wait = {0, 5000000};
    nanosleep(&wait, NULL);
  }
}
