// Abstract: normal, recursive and error-checking mutexes: lock, trylock and unlock by owner and by others.
#include "thread.h"

static pthread_mutex_t m;
static void *other(void *arg) {
  (void)arg;
  tell(pthread_mutex_trylock(&m));
  tell(pthread_mutex_unlock(&m));
  return NULL;
}
static void *waits(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  check(*(int *)arg == 1);
  check(pthread_mutex_unlock(&m) == 0);
  return NULL;
}

int main(void) {
  static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE};
  for (int k = 0; k < 3; k++) {
    pthread_mutexattr_t a;
    int flag = 0;
    check(pthread_mutexattr_init(&a) == 0 && pthread_mutexattr_settype(&a, kinds[k]) == 0);
    check(pthread_mutex_init(&m, &a) == 0);
    say("kind %d\n", k);
    check(pthread_mutex_lock(&m) == 0);
    tell(pthread_mutex_trylock(&m));
    if (k == 0) say("not tried: the owner's own lock\n");
    else tell(pthread_mutex_lock(&m));
    if (k) end(start(other, NULL));
    if (k == 2) check(pthread_mutex_unlock(&m) == 0 && pthread_mutex_unlock(&m) == 0);
    tell(pthread_mutex_destroy(&m));
    pthread_t t = start(waits, &flag);
    let_them_block();
    flag = 1;
    tell(pthread_mutex_unlock(&m));
    end(t);
    if (k) tell(pthread_mutex_unlock(&m));
    tell(pthread_mutex_destroy(&m));
  }
  done();
}
