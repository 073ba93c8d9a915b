// Abstract: what a child has used comes with its end, and adds up.
// Protect: 0
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  struct rusage r, all;
  int st;
  pid_t c = fork();
  if (c == 0) {
    check(getpid() > 1);
    int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 60000000;
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end) {
    }
    _exit(0);
  }
  check(wait4(c, &st, 0, &r) == c);
  int64_t used = (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000ll + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
  say("used 60 ms %d, memory %d\n", used >= 50000, r.ru_maxrss > 100);
  getrusage(RUSAGE_CHILDREN, &all);
  say("in all %d\n", all.ru_utime.tv_sec * 1000000ll + all.ru_utime.tv_usec + all.ru_stime.tv_usec >= 50000);
  done();
}
