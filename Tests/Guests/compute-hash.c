// Abstract: sorting and hashing 200,000 numbers gives the known checksum.
#include "guest.h"

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

int main(void) {
  enum { N = 200000 };
  uint32_t *v = malloc(N * sizeof *v);
  fill(v, N * sizeof *v, 71);
  qsort(v, N, sizeof *v, by_value);
  for (int i = 1; i < N; i++) check(v[i - 1] <= v[i]);
  say("%016lx\n", hash(v, N * sizeof *v));
  uint32_t key = v[N / 3];
  uint32_t *hit = bsearch(&key, v, N, sizeof *v, by_value);
  say("%d\n", hit && *hit == key);
  done();
}
