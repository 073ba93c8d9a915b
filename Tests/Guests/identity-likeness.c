// Abstract: another process sees the guest's name, command line, title, oom_score_adj, nice value and processors at its pid.
#include "guest.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static ssize_t read_of(pid_t pid, const char *name, char *b, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, b, size);
  if (fd >= 0) close(fd);
  return n;
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

// The command line as /proc has it.
static size_t line_of(char **argv, char *line, size_t size) {
  size_t n = 0;
  for (; *argv && n < size; argv++) n += (size_t)snprintf(line + n, size - n, "%s", *argv) + 1;
  return n;
}

// In a child: waits until the file of its parent begins with these bytes. Exit status 0: it came to that.
static void watched(const char *what, const char *name, const void *bytes, size_t n) {
  char b[4096] = {0};
  pid_t child = fork();
  if (child == 0) {
    pid_t parent = getppid();
    for (int i = 0; i < 2000; i++) {
      ssize_t got = read_of(parent, name, b, sizeof b);
      if (got >= (ssize_t)n && !memcmp(b, bytes, n)) _exit(0);
      usleep(10000);
    }
    dprintf(2, "%s is %.100s\n", name, b);
    _exit(1);
  }
  show_end(what, child);
}

static int is_nice(pid_t pid) { return getpriority(PRIO_PROCESS, (id_t)pid) == 3; }
static int has_one_processor(pid_t pid) {
  cpu_set_t set;
  return sched_getaffinity(pid, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1;
}

// In a child: waits until it is so of its parent.
static void comes_true(const char *what, int (*it)(pid_t)) {
  pid_t child = fork();
  if (child == 0) {
    int i = 0;
    for (pid_t parent = getppid(); i < 2000 && !it(parent); i++) usleep(10000);
    _exit(i == 2000);
  }
  show_end(what, child);
}

int main(int argc, char **argv) {
  char line[512], b[4096], path[256], title[64];
  const char *name = program_invocation_short_name;
  watched("command line", "cmdline", line, line_of(argv, line, sizeof line));
  watched("name", "comm", name, strlen(name) < 15 ? strlen(name) : 15);
  if (argc == 2) {
    done();
    return 0;
  }

  check(prctl(PR_SET_NAME, "by-prctl") == 0);
  watched("name by prctl", "comm", "by-prctl\n", 9);
  put("/proc/self/comm", "by-writing");
  watched("name that was written", "comm", "by-writing\n", 11);
  size_t room = strlen(argv[0]) < sizeof title ? strlen(argv[0]) : sizeof title;
  memset(argv[0], 'T', room);
  memset(title, 'T', room);
  watched("title", "cmdline", title, room);
  put("/proc/self/oom_score_adj", "321");
  watched("score", "oom_score_adj", "321\n", 4);
  ssize_t got = read_of(getpid(), "oom_score_adj", b, sizeof b);
  say("own score %.*s", (int)got, b);

  show(setpriority(PRIO_PROCESS, 0, 3));
  comes_true("nice value", is_nice);
  cpu_set_t set;
  check(sched_getaffinity(0, sizeof set, &set) == 0);
  for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &set) && kept++) CPU_CLR(cpu, &set);
  show(sched_setaffinity(0, sizeof set, &set));
  comes_true("processors", has_one_processor);

  got = readlink("/proc/self/exe", path, sizeof path - 1);
  check(got > 0);
  path[got > 0 ? got : 0] = 0;
  execl(path, path, "again", (char *)NULL);
  return 1;
}
