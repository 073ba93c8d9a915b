// Abstract: a signal for the process that all let through goes to the first thread.
#include "thread.h"

static volatile pid_t taker;
static sem_t handled, go;
static void handler(int sig) {
  (void)sig;
  taker = gettid();
  sem_post(&handled);
}
static void *waits(void *arg) {
  down(&go);
  return arg;
}
static void *sends(void *arg) {
  check(kill(getpid(), SIGUSR1) == 0);
  return arg;
}

int main(void) {
  pthread_t t[4];
  sem_init(&handled, 0, 0), sem_init(&go, 0, 0);
  signal(SIGUSR1, handler);
  for (int i = 0; i < 4; i++) t[i] = start(waits, NULL);
  for (int i = 0; i < 5; i++) {
    check(kill(getpid(), SIGUSR1) == 0);
    down(&handled);
    say("%s\n", taker == getpid() ? "first" : "another");
    raise(SIGUSR1);
    down(&handled);
    say("%s\n", taker == getpid() ? "first" : "another");
  }
  for (int i = 0; i < 4; i++) up(&go);
  for (int i = 0; i < 4; i++) end(t[i]);
  end(start(sends, NULL));
  down(&handled);
  say("handled\n");
  done();
}
