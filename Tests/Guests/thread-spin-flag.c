// Abstract: a thread spins on a flag without any call until another thread, which computes too, sets it.
#include "thread.h"

static atomic_int flag, back;
static void *spins(void *arg) {
  while (!flag) {}
  back = 1;
  return arg;
}
static void *computes(void *arg) {
  uint64_t h = 1;
  for (int i = 0; i < 3000000; i++) h = h * 6364136223846793005ull + 1442695040888963407ull;
  flag = 1;
  while (!back) {}
  return h == 0 ? NULL : arg;
}

int main(void) {
  for (int i = 0; i < 2; i++) {
    flag = back = 0;
    pthread_t a = start(spins, (void *)1), b = start(computes, (void *)2);
    say("%ld\n", end(a) + end(b));
  }
  done();
}
