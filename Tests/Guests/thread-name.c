// Abstract: each thread has a name of its own, inherited from the one that made it, by pthread and by prctl.
#include "thread.h"
#include <sys/prctl.h>

static sem_t there, go;
static void *run(void *arg) {
  char n[16];
  check(pthread_getname_np(pthread_self(), n, sizeof n) == 0);
  say("inherited %s\n", n);
  check(prctl(PR_SET_NAME, "by prctl") == 0);
  check(pthread_getname_np(pthread_self(), n, sizeof n) == 0);
  say("%s\n", n);
  up(&there);
  down(&go);
  check(prctl(PR_GET_NAME, n) == 0);
  say("%s\n", n);
  check(pthread_getname_np(pthread_self(), n, sizeof n) == 0);
  say("%s\n", n);
  return arg;
}

int main(void) {
  char n[16];
  sem_init(&there, 0, 0), sem_init(&go, 0, 0);
  check(pthread_setname_np(pthread_self(), "first") == 0);
  pthread_t t = start(run, NULL);
  down(&there);
  up(&go);
  end(t);
  check(pthread_getname_np(pthread_self(), n, sizeof n) == 0);
  say("%s\n", n);
  tell(pthread_getname_np(pthread_self(), n, 3));
  done();
}
