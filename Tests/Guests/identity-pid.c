// Abstract: getpid is one number by libc, raw call, gettid and /proc/self, and does not change.
#include "guest.h"
#include <sys/syscall.h>

static long field(const char *name) {
  char line[256];
  long v = -1;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, name, strlen(name))) v = strtol(line + strlen(name) + 1, NULL, 10);
  fclose(f);
  return v;
}

int main(void) {
  pid_t me = getpid();
  for (int i = 0; i < 1000; i++) check(getpid() == me && syscall(SYS_getpid) == me);
  check(me > 1);
  say("gettid %d, raw %d\n", gettid() == me, syscall(SYS_gettid) == me);
  check(getppid() > 0 && getppid() != me);
  char link[32] = "", path[64];
  ssize_t n = readlink("/proc/self", link, sizeof link - 1);
  say("/proc/self %d\n", n > 0 && atoi(link) == me);
  say("status %d %d\n", field("Pid:") == me, field("Tgid:") == me);
  say("parent %d\n", field("PPid:") == getppid());
  snprintf(path, sizeof path, "/proc/%d/cmdline", me);
  say("by number %d\n", access(path, R_OK) == 0);
  done();
}
