// Abstract: control flow that depends on the time's lowest bits still gives one output.
#include "guest.h"

int main(void) {
  uint64_t state = 1;
  int calls = 0, lines = 0;
  while (calls < 5000) {
    uint64_t t = (uint64_t)now_ns(calls & 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    state = state * 6364136223846793005ull + t;
    calls++;
    // Which call comes next hangs on the time: replicas that saw other times would part here.
    if (state >> 63) {
      if (state >> 62 & 1) check(getppid() > 0);
      else check(access(".", F_OK) == 0);
    }
    if ((state >> 54 & 127) == 0) lines += lseek(0, 0, SEEK_CUR) >= -1;
  }
  char b[64];
  int fd = open("/dev/null", O_WRONLY);
  int n = snprintf(b, sizeof b, "%lu %d\n", state, lines);
  check(write(fd, b, n) == n);
  say("%d calls\n", calls);
  done();
}
