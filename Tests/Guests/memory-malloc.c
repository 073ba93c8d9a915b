// Abstract: malloc, realloc, calloc, memalign and free in a random pattern keep what was stored.
#include "guest.h"
#include <malloc.h>

int main(void) {
  enum { N = 500 };
  static struct { unsigned char *p; size_t n; unsigned char v; } s[N];
  uint64_t x = 88172645463325252ull, total = 0;
  for (int i = 0; i < 30000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    int k = x % N;
    size_t n = (x >> 20) % ((x >> 50 & 63) ? 2000 : 400000);
    for (size_t j = 0; j < s[k].n; j += 97) check(s[k].p[j] == s[k].v);
    if (x >> 40 & 1) {
      free(s[k].p);
      s[k].p = x >> 41 & 1 ? malloc(n + 1) : x >> 42 & 1 ? calloc(n + 1, 1) : memalign(64, n + 1);
    } else {
      s[k].p = realloc(s[k].p, n + 1);
    }
    check(s[k].p);
    s[k].n = n, s[k].v = (unsigned char)(x >> 30);
    memset(s[k].p, s[k].v, n);
    total += n;
  }
  say("%lu bytes\n", total);
  for (int i = 0; i < N; i++) free(s[i].p);
  say("%d\n", malloc_trim(0) >= 0);
  errno = 0;
  say("huge %d %s\n", malloc((size_t)1 << 60) != NULL, strerrorname_np(errno));
  done();
}
