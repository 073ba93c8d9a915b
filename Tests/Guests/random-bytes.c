// Abstract: getrandom, getentropy, /dev/urandom, AT_RANDOM: right sizes, and never the same twice.
#include "guest.h"
#include <sys/auxv.h>
#include <sys/random.h>

int main(void) {
  char a[256], b[256], zero[256] = "";
  show(getrandom(a, sizeof a, 0));
  show(getrandom(b, sizeof b, GRND_NONBLOCK));
  check(memcmp(a, b, sizeof a) && memcmp(a, zero, sizeof a));
  show(getentropy(a, 256));
  check(memcmp(a, b, sizeof a));
  show(getentropy(a, 257));
  int fd = open("/dev/urandom", O_RDONLY);
  show(read(fd, a, sizeof a));
  show(read(fd, b, sizeof b));
  check(memcmp(a, b, sizeof a));
  show(getrandom((void *)8, 16, 0));
  show(getrandom(a, 16, 0xff));
  static char big[100000];
  show(getrandom(big, sizeof big, 0));
  check(getauxval(AT_RANDOM) != 0);
  // What is random must be the same in all replicas: it decides which bytes go out.
  int null = open("/dev/null", O_WRONLY);
  check(write(null, big, sizeof big) == sizeof big);
  for (int i = 0; i < 256; i++)
    if (big[i] & 1) check(write(null, big, big[i] & 63) == (big[i] & 63));
  done();
}
