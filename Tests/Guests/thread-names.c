// Abstract: a thread is named by another one, by pthread and by /proc, and finds the names of all.
#include "thread.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

static sem_t there, go;
static volatile pid_t tid;
static void *run(void *arg) {
  char n[16];
  tid = (pid_t)syscall(SYS_gettid);
  up(&there);
  down(&go);
  check(prctl(PR_GET_NAME, n) == 0);
  say("I am %s\n", n);
  check(pthread_setname_np(*(pthread_t *)arg, "from below") == 0);
  up(&there);
  down(&go);
  check(prctl(PR_GET_NAME, n) == 0);
  say("now I am %s\n", n);
  return arg;
}
static void show_name(const char *format, pid_t id) {
  char path[64], b[64] = "";
  snprintf(path, sizeof path, format, (int)id);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  check(fd >= 0);
  ssize_t n = read(fd, b, sizeof b - 1);
  say("%zd %s", n, b);
  close(fd);
}
static void show_line(pid_t id, const char *key) {
  char path[64], b[4096] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)id);
  int fd = open(path, O_RDONLY);
  check(fd >= 0 && read(fd, b, sizeof b - 1) > 0);
  close(fd);
  char *line = strstr(b, key);
  check(line);
  say("%.*s\n", (int)strcspn(line, "\n"), line);
}
int main(void) {
  char n[16];
  pthread_t me = pthread_self();
  sem_init(&there, 0, 0), sem_init(&go, 0, 0);
  check(prctl(PR_SET_NAME, "first") == 0);
  pthread_t t = start(run, &me);
  down(&there);
  tell(pthread_getname_np(t, n, sizeof n));
  say("%s\n", n);
  tell(pthread_setname_np(t, "other"));
  tell(pthread_getname_np(t, n, sizeof n));
  say("%s\n", n);
  show_name("/proc/self/task/%d/comm", tid);
  show_name("/proc/self/task/%d/comm", getpid());
  show_line(tid, "Name:");
  show_line(tid, "Threads:");
  show_line(getpid(), "Name:");
  up(&go), down(&there);
  check(prctl(PR_GET_NAME, n) == 0);
  say("main is %s\n", n);
  show_name("/proc/self/comm", 0);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)getpid(), (int)tid);
  int fd = open(path, O_WRONLY);
  check(fd >= 0);
  show(write(fd, "a name that is too long", 23));
  check(close(fd) == 0);
  show_name("/proc/self/task/%d/comm", tid);
  tell(pthread_setname_np(t, "a name that is too long"));
  up(&go);
  end(t);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
  while (open(path, O_RDONLY) >= 0) sched_yield(); // joined, it may be on its last steps
  say("gone: %s\n", strerrorname_np(errno));
  done();
}
