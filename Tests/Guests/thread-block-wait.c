// Abstract: threads wait for children, each for its own, by waitpid and waitid, while others run.
#include "thread.h"

static int gate[2];
static sem_t ready;
static atomic_int turns, stop;
static void *waits(void *arg) {
  long me = (long)arg;
  pid_t c = fork();
  if (c == 0) {
    char b;
    close(gate[1]);
    check(read(gate[0], &b, 1) == 0);
    _exit((int)me + 10);
  }
  up(&ready);
  if (me % 2) {
    int st;
    check(waitpid(c, &st, 0) == c && WIFEXITED(st));
    return (void *)(long)WEXITSTATUS(st);
  }
  siginfo_t i;
  check(waitid(P_PID, (id_t)c, &i, WEXITED) == 0 && i.si_pid == c);
  return (void *)(long)i.si_status;
}
static void *runs(void *arg) {
  while (!stop) {
    turns++;
    sched_yield();
  }
  return arg;
}

int main(void) {
  pthread_t t[6], r;
  sem_init(&ready, 0, 0);
  check(pipe(gate) == 0);
  r = start(runs, NULL);
  for (long i = 0; i < 6; i++) t[i] = start(waits, (void *)i);
  for (int i = 0; i < 6; i++) down(&ready);
  int before = turns;
  while (turns < before + 10) pause_ms(1);
  check(close(gate[1]) == 0);
  for (int i = 0; i < 6; i++) say("%ld\n", end(t[i]));
  stop = 1;
  end(r);
  show(wait(NULL));
  done();
}
