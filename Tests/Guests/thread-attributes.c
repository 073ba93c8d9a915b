// Abstract: stack sizes, guard pages, stacks of one's own, and what pthread_getattr_np tells.
#include "thread.h"
#include <sys/mman.h>

static void *look(void *arg) {
  pthread_attr_t a;
  void *low;
  size_t size, guard;
  int here;
  check(pthread_getattr_np(pthread_self(), &a) == 0);
  check(pthread_attr_getstack(&a, &low, &size) == 0 && pthread_attr_getguardsize(&a, &guard) == 0);
  check((char *)&here > (char *)low && (char *)&here < (char *)low + size);
  if (arg) check(low == arg);
  say("stack %zu KB, guard %zu\n", size >> 10, guard);
  check(pthread_attr_destroy(&a) == 0);
  return NULL;
}

int main(void) {
  pthread_attr_t a;
  pthread_t t;
  check(pthread_attr_init(&a) == 0);
  tell(pthread_attr_setstacksize(&a, 100));
  check(pthread_attr_setstacksize(&a, 256 << 10) == 0 && pthread_attr_setguardsize(&a, 8192) == 0);
  check(pthread_create(&t, &a, look, NULL) == 0);
  end(t);
  check(pthread_attr_setstacksize(&a, 3 << 20) == 0 && pthread_attr_setguardsize(&a, 0) == 0);
  check(pthread_create(&t, &a, look, NULL) == 0);
  end(t);
  void *own = mmap(NULL, 128 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(own != MAP_FAILED && pthread_attr_setstack(&a, own, 128 << 10) == 0);
  check(pthread_create(&t, &a, look, own) == 0);
  end(t);
  check(munmap(own, 128 << 10) == 0);
  pthread_attr_t mine;
  size_t size;
  void *low;
  check(pthread_getattr_np(pthread_self(), &mine) == 0 && pthread_attr_getstack(&mine, &low, &size) == 0);
  check((char *)&mine > (char *)low && (char *)&mine < (char *)low + size);
  done();
}
