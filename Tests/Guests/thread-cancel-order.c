// Abstract: clean-up handlers run last in first out, then destructors of keys; pthread_exit does the same.
#include "thread.h"

static pthread_key_t key;
static sem_t ready;
static void note(void *arg) { say("%s\n", (char *)arg); }
static void *nested(void *arg) {
  pthread_cleanup_push(note, "first");
  pthread_cleanup_push(note, "second");
  pthread_cleanup_push(note, "popped");
  pthread_cleanup_pop(1);
  check(pthread_setspecific(key, "destructor") == 0);
  pthread_cleanup_push(note, "third");
  if (arg) pthread_exit((void *)5);
  up(&ready);
  pause();
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  sem_init(&ready, 0, 0);
  check(pthread_key_create(&key, note) == 0);
  pthread_t t = start(nested, NULL);
  down(&ready);
  check(pthread_cancel(t) == 0 && end(t) == (long)PTHREAD_CANCELED);
  say("%ld\n", end(start(nested, (void *)1)));
  done();
}
