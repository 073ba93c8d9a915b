// Abstract: keys of pthread_key_create: values per thread, destructors in rounds, deletion, the limit.
#include "thread.h"

static pthread_key_t a, b, again;
static atomic_int destroyed_a, destroyed_b, rounds;
static void end_a(void *v) { destroyed_a += (int)(long)v; }
static void end_b(void *v) {
  destroyed_b += (int)(long)v;
  check(pthread_getspecific(b) == NULL);
}
static void end_again(void *v) {
  rounds++;
  check(pthread_setspecific(again, v) == 0);
}
static void *run(void *arg) {
  check(pthread_getspecific(a) == NULL);
  check(pthread_setspecific(a, arg) == 0 && pthread_setspecific(b, (void *)10) == 0);
  if ((long)arg == 3) check(pthread_setspecific(again, arg) == 0);
  if ((long)arg == 2) check(pthread_setspecific(b, NULL) == 0);
  sched_yield();
  check(pthread_getspecific(a) == arg);
  if ((long)arg == 1) pthread_exit(NULL);
  return NULL;
}

int main(void) {
  pthread_t t[4];
  check(pthread_key_create(&a, end_a) == 0 && pthread_key_create(&b, end_b) == 0);
  check(pthread_key_create(&again, end_again) == 0);
  for (long i = 0; i < 4; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < 4; i++) end(t[i]);
  say("%d %d %d\n", destroyed_a, destroyed_b, rounds);
  tell(pthread_key_delete(a));
  tell(pthread_setspecific(a, NULL));
  int n = 0;
  pthread_key_t k;
  while (pthread_key_create(&k, NULL) == 0) n++;
  say("%s\n", n > 1000 && n <= PTHREAD_KEYS_MAX ? "as many as there may be" : "too few");
  done();
}
