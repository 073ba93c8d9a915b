// Abstract: uname, sysinfo, sysconf, sched_getcpu, getcpu, getloadavg, nprocs give sane answers.
#include "guest.h"
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int main(void) {
  struct utsname u;
  struct sysinfo s;
  show(uname(&u));
  say("%s %s %s\n", u.sysname, u.release, u.machine);
  show(sysinfo(&s));
  check(s.totalram > 0 && s.uptime > 0 && s.procs > 0);
  say("%ld %ld %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_CLK_TCK));
  say("%d\n", get_nprocs());
  int null = open("/dev/null", O_WRONLY);
  for (int i = 0; i < 200; i++) {
    int c = sched_getcpu();
    unsigned cpu, node;
    check(c >= 0 && c < get_nprocs_conf());
    check(getcpu(&cpu, &node) == 0 && (int)cpu < get_nprocs_conf());
    // Where we run must not decide what goes out.
    check(write(null, &c, sizeof c) == sizeof c && write(null, &cpu, sizeof cpu) == sizeof cpu);
  }
  cpu_set_t set;
  show(sched_getaffinity(0, sizeof set, &set));
  say("%d\n", CPU_COUNT(&set));
  show(sched_setaffinity(0, sizeof set, &set));
  show(sched_yield());
  show(sched_getscheduler(0));
  double load[3];
  show(getloadavg(load, 3));
  done();
}
