// Abstract: rand, random, drand48 with fixed seeds give their known sequences; arc4random varies.
#include "guest.h"

int main(void) {
  srand(42);
  say("%d %d\n", rand(), rand());
  srandom(42);
  say("%ld %ld\n", random(), random());
  srand48(42);
  say("%.6f %ld\n", drand48(), lrand48());
  unsigned seed = 7;
  say("%d\n", rand_r(&seed));
  srand(time(NULL) ^ getpid());
  int null = open("/dev/null", O_WRONLY), r = rand();
  check(write(null, &r, sizeof r) == sizeof r);
  uint32_t x = arc4random(), y = arc4random(), z = arc4random();
  check(x != y || y != z);
  check(write(null, &x, sizeof x) == sizeof x);
  done();
}
