// Abstract: children forked before and after the first thread are waited for; timers go on; pids stay.
// Collapse: yes
#include "guest.h"
#include <pthread.h>

static volatile int ticks;
static void handler(int sig) { ticks += sig == SIGUSR1; }
static void *run(void *arg) { return arg; }

static int gate[2];

// delay: ms before it ends, -1: until the gate is closed
static pid_t child(int status, int delay) {
  pid_t me = getpid(), c = fork();
  if (c == 0) {
    check(getppid() == me && getpid() != me);
    char none;
    close(gate[1]);
    if (delay > 0) pause_ms(delay);
    if (delay < 0) check(read(gate[0], &none, 1) == 0);
    _exit(status);
  }
  return c;
}

int main(void) {
  pid_t me = getpid(), parent = getppid(), c[6];
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec s = {{0, 2000000}, {0, 2000000}}, now;
  check(pipe(gate) == 0);
  signal(SIGUSR1, handler);
  check(timer_create(CLOCK_MONOTONIC, &e, &t) == 0);
  check(timer_settime(t, 0, &s, NULL) == 0);
  c[0] = child(10, 0), c[1] = child(11, 100), c[2] = child(12, 200);
  pthread_t thread;
  check(pthread_create(&thread, NULL, run, NULL) == 0 && pthread_join(thread, NULL) == 0);
  check(getpid() == me && getppid() == parent && gettid() == me);
  int before = ticks;
  while (ticks < before + 3) pause_ms(1);
  check(timer_gettime(t, &now) == 0 && now.it_interval.tv_nsec == 2000000);
  check(timer_delete(t) == 0 && timer_delete(t) == -1);
  c[3] = child(13, 0), c[4] = child(14, 150), c[5] = child(15, -1);
  int status;
  siginfo_t i;
  check(waitpid(c[1], &status, 0) == c[1]);
  say("%d\n", WEXITSTATUS(status));
  check(waitid(P_PID, c[4], &i, WEXITED) == 0 && i.si_pid == c[4]);
  say("%d\n", i.si_status);
  check(waitpid(c[5], &status, WNOHANG) == 0);
  check(close(gate[1]) == 0);
  int sum = 0;
  for (int n = 0; n < 4; n++) {
    pid_t pid = wait(&status);
    check(pid == c[0] || pid == c[2] || pid == c[3] || pid == c[5]);
    sum += WEXITSTATUS(status);
  }
  say("sum %d\n", sum);
  show(wait(&status));
  show(waitpid(c[0], &status, 0));
  done();
}
