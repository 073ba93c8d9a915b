// Abstract: many threads allocate, grow and free memory, some of it for one another.
#include "thread.h"

enum { N = 8, ROUNDS = 400 };
static void *_Atomic shelf[64];
static void *run(void *arg) {
  unsigned x = (unsigned)(long)arg * 7919 + 1;
  unsigned char *own[16] = {0};
  size_t size[16] = {0};
  for (int i = 0; i < ROUNDS; i++) {
    x = x * 1103515245 + 12345;
    unsigned k = x >> 16 & 15;
    size_t n = (x >> 8 & 0xfff) * (x >> 28 == 3 ? 100 : 1) + 1;
    if (own[k]) check(own[k][0] == (unsigned char)k && own[k][size[k] - 1] == (unsigned char)k);
    own[k] = realloc(own[k], n);
    check(own[k] != NULL);
    memset(own[k], (int)k, n);
    size[k] = n;
    void *gift = malloc(64 + k);
    memset(gift, 1, 64 + k);
    free(atomic_exchange(&shelf[x >> 4 & 63], gift));
    if (i % 64 == 0) sched_yield();
  }
  for (int k = 0; k < 16; k++) free(own[k]);
  return NULL;
}

int main(void) {
  pthread_t t[N];
  for (long i = 0; i < N; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < N; i++) end(t[i]);
  for (int i = 0; i < 64; i++) free(shelf[i]);
  done();
}
