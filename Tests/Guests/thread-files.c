// Abstract: threads make, append to, rename and remove files of their own and share one by offset.
#include "thread.h"

enum { N = 6 };
static int shared;
static void *works(void *arg) {
  long me = (long)arg;
  char name[32], other[32], block[100];
  memset(block, 'a' + (int)me, sizeof block);
  for (int i = 0; i < 5; i++) {
    snprintf(name, sizeof name, "file-%ld-%d", me, i);
    snprintf(other, sizeof other, "renamed-%ld-%d", me, i);
    make_file(name, "text");
    check(rename(name, other) == 0);
    if (i % 2) check(unlink(other) == 0);
    check(pwrite(shared, block, sizeof block, (me * 5 + i) * 100) == 100);
  }
  return NULL;
}

int main(void) {
  pthread_t t[N];
  char *b = malloc(N * 500);
  shared = open("shared", O_RDWR | O_CREAT, 0600);
  for (long i = 0; i < N; i++) t[i] = start(works, (void *)i);
  for (int i = 0; i < N; i++) end(t[i]);
  check(pread(shared, b, N * 500, 0) == N * 500);
  say("%016llx\n", (unsigned long long)hash(b, N * 500));
  done();
}
