// Abstract: detached threads run to their end, by attribute, by pthread_detach and by themselves.
#include "thread.h"

static atomic_int ended;
static sem_t last;
static void *work(void *arg) {
  if ((long)arg == 2) check(pthread_detach(pthread_self()) == 0);
  char *p = malloc(10000);
  memset(p, 1, 10000);
  free(p);
  if (atomic_fetch_add(&ended, 1) == 59) up(&last);
  return NULL;
}

int main(void) {
  pthread_attr_t a;
  pthread_t t;
  sem_init(&last, 0, 0);
  check(pthread_attr_init(&a) == 0);
  tell(pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED));
  int state;
  check(pthread_attr_getdetachstate(&a, &state) == 0 && state == PTHREAD_CREATE_DETACHED);
  for (int i = 0; i < 20; i++) check(pthread_create(&t, &a, work, (void *)1) == 0);
  for (int i = 0; i < 20; i++) start(work, (void *)2);
  for (int i = 0; i < 20; i++) check(pthread_detach(start(work, (void *)3)) == 0);
  down(&last);
  say("%d\n", ended);
  done();
}
