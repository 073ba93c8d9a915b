// Abstract: processor time of threads: their clocks, RUSAGE_THREAD, and that of the process is at least as much.
#include "thread.h"
#include <sys/resource.h>

static sem_t there, go;
static int64_t of(struct timeval t) { return t.tv_sec * 1000000ll + t.tv_usec; }
static void burn(void) {
  volatile unsigned x = 1;
  for (int i = 0; i < 3000000; i++) x = x * 5 + 1;
}
static void *run(void *arg) {
  int64_t a = now_ns(CLOCK_THREAD_CPUTIME_ID), p = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  struct rusage u, v;
  check(getrusage(RUSAGE_THREAD, &u) == 0);
  burn();
  int64_t b = now_ns(CLOCK_THREAD_CPUTIME_ID), q = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  check(getrusage(RUSAGE_THREAD, &v) == 0);
  check(b > a && q > p && a >= 0);
  check(of(v.ru_utime) + of(v.ru_stime) >= of(u.ru_utime) + of(u.ru_stime));
  up(&there);
  down(&go);
  return arg;
}

int main(void) {
  sem_init(&there, 0, 0), sem_init(&go, 0, 0);
  pthread_t t = start(run, NULL);
  down(&there);
  clockid_t c, own;
  check(pthread_getcpuclockid(t, &c) == 0 && pthread_getcpuclockid(pthread_self(), &own) == 0);
  check(now_ns(c) > 0 && now_ns(own) > 0);
  struct timespec res;
  check(clock_getres(c, &res) == 0);
  struct rusage self, thread;
  check(getrusage(RUSAGE_THREAD, &thread) == 0 && getrusage(RUSAGE_SELF, &self) == 0);
  check(of(self.ru_utime) + of(self.ru_stime) + 20000 >= of(thread.ru_utime) + of(thread.ru_stime));
  up(&go);
  end(t);
  done();
}
