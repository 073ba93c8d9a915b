// Abstract: execve in a thread that is not the first replaces the whole program; the pid stays.
#include "thread.h"

static sem_t ready;
static void *waits(void *arg) {
  up(&ready);
  for (;;) pause();
  return arg;
}
static char **arguments;
static void *executes(void *arg) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  char *a[] = {arguments[0], pid, NULL};
  say("executes\n");
  execv("/no/such/program", a);
  say("%s\n", strerrorname_np(errno));
  execv("/proc/self/exe", a);
  say("not reached %s\n", strerrorname_np(errno));
  return arg;
}

int main(int argc, char **argv) {
  if (argc > 1) {
    check(atoi(argv[1]) == getpid() && gettid() == getpid());
    pthread_t t = start((thread_body *)(void *)sched_yield, NULL);
    end(t);
    say("the new program\n");
    done();
    return 0;
  }
  arguments = argv;
  sem_init(&ready, 0, 0);
  start(waits, NULL), start(waits, NULL);
  down(&ready), down(&ready);
  start(executes, NULL);
  for (;;) pause();
}
