// Abstract: a fork in a thread: the child has that thread alone, runs the fork handlers, and can start threads.
#include "thread.h"

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static int before, parent, child;
static void prepare(void) {
  check(pthread_mutex_lock(&m) == 0);
  before++;
}
static void in_parent(void) {
  parent++;
  check(pthread_mutex_unlock(&m) == 0);
}
static void in_child(void) {
  child++;
  check(pthread_mutex_unlock(&m) == 0);
}
static void *adds(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  *(int *)arg += 1;
  check(pthread_mutex_unlock(&m) == 0);
  return NULL;
}
static atomic_int stop;
static void *runs(void *arg) {
  while (!stop) {
    check(pthread_mutex_lock(&m) == 0);
    check(pthread_mutex_unlock(&m) == 0);
    sched_yield();
  }
  return arg;
}
static void *forks(void *arg) {
  pid_t pid = getpid();
  pid_t c = fork();
  if (c == 0) {
    int n = 0;
    check(child == 1 && getpid() != pid && gettid() == getpid());
    pthread_t t[3];
    for (int i = 0; i < 3; i++) t[i] = start(adds, &n);
    for (int i = 0; i < 3; i++) end(t[i]);
    _exit(10 + n);
  }
  show_end("child", c);
  return arg;
}

int main(void) {
  check(pthread_atfork(prepare, in_parent, in_child) == 0);
  pthread_t r = start(runs, NULL);
  for (int i = 0; i < 3; i++) end(start(forks, NULL));
  forks(NULL);
  stop = 1;
  end(r);
  say("%d %d %d\n", before, parent, child);
  done();
}
