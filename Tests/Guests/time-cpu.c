// Abstract: CPU time grows with work: clock, times, getrusage, CLOCK_PROCESS_CPUTIME_ID.
#include "guest.h"
#include <sys/resource.h>
#include <sys/times.h>

static volatile uint64_t sink;
static void work(void) {
  for (int i = 0; i < 20000000; i++) sink += i * i;
}

int main(void) {
  struct rusage r, s;
  struct tms t, u;
  int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  clock_t c = clock();
  check(getrusage(RUSAGE_SELF, &r) == 0);
  check(times(&t) != (clock_t)-1);
  work();
  check(now_ns(CLOCK_PROCESS_CPUTIME_ID) > cpu);
  check(clock() > c);
  check(getrusage(RUSAGE_SELF, &s) == 0);
  check(s.ru_utime.tv_sec * 1000000 + s.ru_utime.tv_usec > r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec);
  check(s.ru_maxrss > 0 && s.ru_minflt >= r.ru_minflt);
  check(times(&u) != (clock_t)-1 && u.tms_utime >= t.tms_utime);
  show(getrusage(77, &s));
  show(getrusage(RUSAGE_CHILDREN, &s));
  say("children %ld\n", s.ru_maxrss);
  done();
}
