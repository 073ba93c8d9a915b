// Abstract: a thread forks, and the child is one thread that goes on.
// Protect: 0
#include "guest.h"
#include <pthread.h>

static void *forks(void *arg) {
  pid_t c = fork();
  if (c == 0) {
    say("only one: %d\n", gettid() == getpid());
    pause_ms(20);
    say("%d\n", gettid() == getpid());
    _exit(6);
  }
  show_end("child", c);
  return arg;
}
int main(void) {
  pthread_t t;
  for (int i = 0; i < 3; i++) {
    check(pthread_create(&t, NULL, forks, NULL) == 0);
    check(pthread_join(t, NULL) == 0);
  }
  done();
}
