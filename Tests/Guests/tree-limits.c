// Abstract: a child whose memory is limited stays as it is, and works.
// Protect: 10
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    struct rlimit l = {1 << 30, 1 << 30}, now;
    check(setrlimit(RLIMIT_AS, &l) == 0);
    pause_ms(30);
    check(getrlimit(RLIMIT_AS, &now) == 0);
    say("%d\n", now.rlim_cur == l.rlim_cur);
    void *m = malloc(1ul << 30);
    say("no room %d\n", m == NULL);
    pid_t g = fork();
    if (g == 0) _exit(5);
    show_end("grandchild", g);
    _exit(0);
  }
  show_end("child", c);
  done();
}
