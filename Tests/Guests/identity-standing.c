// Abstract: limits, scheduling policy and I/O priority that another process gives the guest's pid are the guest's, and the reverse.
#include "guest.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define BEST_EFFORT_6 (2 << 13 | 6)
static int io_priority(pid_t pid) { return (int)syscall(SYS_ioprio_get, 1, pid); }

static int files(pid_t pid) {
  struct rlimit limit;
  return prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur == 200;
}
static int core(pid_t pid) {
  struct rlimit limit;
  return prlimit(pid, RLIMIT_CORE, NULL, &limit) == 0 && limit.rlim_cur == 12288;
}
static int is_batch(pid_t pid) { return sched_getscheduler(pid) == SCHED_BATCH; }
static int is_io_6(pid_t pid) { return io_priority(pid) == BEST_EFFORT_6; }

static void comes_true(const char *what, int (*it)(pid_t), pid_t pid) {
  int i = 0;
  while (i < 2000 && !it(pid)) {
    usleep(10000);
    i++;
  }
  say("%s: %d\n", what, i < 2000);
}
// In a child, what somebody else does to its parent; the parent waits until it is so.
static void from_outside(const char *what, int (*it)(pid_t)) {
  pid_t child = fork();
  if (child == 0) {
    pid_t parent = getppid();
    struct rlimit limit = {200, 300};
    struct sched_param none = {0};
    if (it == files) check(prlimit(parent, RLIMIT_NOFILE, &limit, NULL) == 0);
    if (it == is_batch) check(sched_setscheduler(parent, SCHED_BATCH, &none) == 0);
    if (it == is_io_6) check(syscall(SYS_ioprio_set, 1, parent, BEST_EFFORT_6) == 0);
    _exit(0);
  }
  show_end(what, child);
  comes_true(what, it, 0);
}

int main(void) {
  from_outside("limit of descriptors", files);
  from_outside("scheduling policy", is_batch);
  from_outside("I/O priority", is_io_6);
  int last = -1;
  for (int fd; (fd = dup(1)) >= 0;) last = fd;
  say("last descriptor %d, then errno %d\n", last, errno);
  for (int fd = 3; fd <= last; fd++) close(fd);

  struct rlimit limit = {12288, 24576};
  show(setrlimit(RLIMIT_CORE, &limit));
  pid_t child = fork();
  if (child == 0) {
    comes_true("the guest's limit of core files", core, getppid());
    _exit(0);
  }
  show_end("reader", child);
  done();
  return 0;
}
