// Abstract: a new thread inherits the mask; what is pending is pending for the thread or for the process.
#include "thread.h"

static sem_t go, there;
static volatile int hits;
static void handler(int sig) { hits += sig == SIGUSR1 ? 1 : 100; }
static void pending(const char *who) {
  sigset_t s;
  check(sigpending(&s) == 0);
  say("%s: USR1 %d USR2 %d\n", who, sigismember(&s, SIGUSR1), sigismember(&s, SIGUSR2));
}
static void *run(void *arg) {
  sigset_t s;
  check(pthread_sigmask(SIG_SETMASK, NULL, &s) == 0);
  say("inherited USR1 %d USR2 %d HUP %d\n", sigismember(&s, SIGUSR1), sigismember(&s, SIGUSR2), sigismember(&s, SIGHUP));
  pending("new thread");
  up(&there);
  down(&go);
  pending("thread");
  sigemptyset(&s), sigaddset(&s, SIGUSR1);
  check(pthread_sigmask(SIG_UNBLOCK, &s, NULL) == 0);
  say("hits %d\n", hits);
  up(&there);
  return arg;
}

int main(void) {
  sigset_t s;
  sem_init(&go, 0, 0), sem_init(&there, 0, 0);
  signal(SIGUSR1, handler), signal(SIGUSR2, handler);
  sigemptyset(&s), sigaddset(&s, SIGUSR1), sigaddset(&s, SIGUSR2);
  check(pthread_sigmask(SIG_BLOCK, &s, NULL) == 0);
  pthread_t t = start(run, NULL);
  down(&there);
  check(pthread_kill(t, SIGUSR1) == 0);
  pending("main");
  check(kill(getpid(), SIGUSR2) == 0);
  pending("main");
  up(&go);
  down(&there);
  pending("main");
  end(t);
  check(pthread_sigmask(SIG_UNBLOCK, &s, NULL) == 0);
  say("hits %d\n", hits);
  pending("main");
  done();
}
