// Abstract: a robust mutex tells of its owner's death those who wait, who try and who come later.
#include "thread.h"

static pthread_mutex_t m;
static sem_t held, go;
static void *dies(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  up(&held);
  if (arg) down(&go);
  return NULL;
}
static void *waits(void *arg) {
  (void)arg;
  return (void *)(long)pthread_mutex_lock(&m); // and dies with it, if it got it
}
static const char *name(long e) { return e ? strerrorname_np((int)e) : "0"; }

static void robust(int protocol) {
  pthread_mutexattr_t a;
  check(pthread_mutexattr_init(&a) == 0 && pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
  check(pthread_mutexattr_setprotocol(&a, protocol) == 0);
  check(pthread_mutex_init(&m, &a) == 0);
}

static void all(int protocol) {
  robust(protocol);
  sem_init(&held, 0, 0), sem_init(&go, 0, 0);
  end(start(dies, NULL));
  down(&held);
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_consistent(&m));
  tell(pthread_mutex_unlock(&m));
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_unlock(&m));
  end(start(dies, NULL));
  down(&held);
  tell(pthread_mutex_trylock(&m));
  tell(pthread_mutex_unlock(&m)); // not made consistent
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_trylock(&m));
  tell(pthread_mutex_destroy(&m));
  robust(protocol);
  pthread_t owner = start(dies, (void *)1);
  down(&held);
  pthread_t w[3];
  for (int i = 0; i < 3; i++) w[i] = start(waits, NULL);
  let_them_block();
  up(&go);
  end(owner);
  for (int i = 0; i < 3; i++) say("waiter %s\n", name(end(w[i])));
  tell(pthread_mutex_lock(&m));
  tell(pthread_mutex_consistent(&m));
  tell(pthread_mutex_unlock(&m));
  tell(pthread_mutex_destroy(&m));
}

int main(void) {
  all(PTHREAD_PRIO_NONE);
  all(PTHREAD_PRIO_INHERIT);
  done();
}
