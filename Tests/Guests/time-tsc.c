// Abstract: rdtsc and rdtscp never go back, and their values can be written out.
// Diverges: yes
#include "guest.h"
#include <x86intrin.h>

int main(void) {
  uint64_t last = 0;
  unsigned cpu;
  for (int i = 0; i < 1000; i++) {
    uint64_t t = i & 1 ? __rdtsc() : __rdtscp(&cpu);
    check(t >= last);
    last = t;
  }
  int fd = open("/dev/null", O_WRONLY);
  check(write(fd, &last, sizeof last) == sizeof last);
  done();
}
