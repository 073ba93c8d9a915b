// Abstract: a thread that waits for signals gets those for the process, from itself, a child and a timer.
#include "thread.h"
#include <sys/time.h>

static sigset_t set;
static sem_t seen;
static int log_[64], n;
static void *waits(void *arg) {
  for (;;) {
    int sig;
    check(sigwait(&set, &sig) == 0);
    log_[n++] = sig;
    up(&seen);
    if (sig == SIGTERM) return arg;
  }
}

int main(void) {
  sem_init(&seen, 0, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1), sigaddset(&set, SIGALRM), sigaddset(&set, SIGCHLD), sigaddset(&set, SIGTERM);
  check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_t t = start(waits, NULL);
  for (int i = 0; i < 3; i++) {
    check(kill(getpid(), SIGUSR1) == 0);
    down(&seen);
  }
  struct itimerval v = {{0, 0}, {0, 5000}};
  check(setitimer(ITIMER_REAL, &v, NULL) == 0);
  down(&seen);
  pid_t c = fork();
  if (c == 0) _exit(4);
  down(&seen);
  show_end("child", c);
  check(pthread_kill(t, SIGUSR1) == 0);
  down(&seen);
  check(kill(getpid(), SIGTERM) == 0);
  end(t);
  for (int i = 0; i < n; i++) say("%s\n", sigabbrev_np(log_[i]));
  done();
}
