// Abstract: a child starts threads, and so does its child.
// Protect: 10000
#include "guest.h"
#include <pthread.h>
#include <sched.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int sum;
static void *work(void *arg) {
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&lock);
    sum += (int)(long)arg;
    pthread_mutex_unlock(&lock);
    if (i % 100 == 0) sched_yield();
  }
  return arg;
}
static void threads(void) {
  pthread_t t[4];
  for (long i = 0; i < 4; i++) check(pthread_create(&t[i], NULL, work, (void *)(i + 1)) == 0);
  for (int i = 0; i < 4; i++) check(pthread_join(t[i], NULL) == 0);
}
int main(void) {
  pid_t c = fork();
  if (c == 0) {
    threads();
    say("%d\n", sum);
    pid_t g = fork();
    if (g == 0) {
      threads();
      say("%d\n", sum);
      _exit(1);
    }
    show_end("grandchild", g);
    _exit(2);
  }
  show_end("child", c);
  done();
}
