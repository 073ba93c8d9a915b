// Abstract: /proc/self/task lists the process's threads, each with its id, as they come and go.
#include "thread.h"
#include <dirent.h>
#include <sys/syscall.h>

#define MOST 4
static sem_t there, go;
static pid_t tids[MOST + 1];
static void *run(void *arg) {
  tids[(long)arg] = (pid_t)syscall(SYS_gettid);
  up(&there);
  down(&go);
  return arg;
}
static int list(DIR *d) {
  char seen[MOST + 1] = "";
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    n++;
    if (e->d_name[0] == '.') continue;
    check(e->d_type == DT_DIR);
    for (int i = 0; i <= MOST; i++)
      if (tids[i] == atoi(e->d_name)) check(!seen[i]++);
  }
  for (int i = 0; i <= MOST; i++) say("%d", seen[i]);
  say(" of %d\n", n);
  return n;
}
int main(void) {
  pthread_t t[MOST + 1];
  sem_init(&there, 0, 0), sem_init(&go, 0, 0);
  tids[0] = getpid();
  DIR *d = opendir("/proc/self/task");
  check(d && dirfd(d) >= 0);
  list(d);
  for (long i = 1; i <= MOST; i++) t[i] = start(run, (void *)i);
  for (int i = 0; i < MOST; i++) down(&there);
  rewinddir(d);
  list(d);
  closedir(d);
  struct stat st;
  for (int i = 0; i <= MOST; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", (int)tids[i]);
    check(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
    check(strlen(path) && access(path, F_OK) == 0);
  }
  for (int i = 0; i < MOST; i++) up(&go);
  for (int i = 1; i <= MOST; i++) end(t[i]);
  for (int n = 9; n > 3;) { // joined, they may be on their last steps
    check((d = opendir("/proc/self/task")));
    for (n = 0; readdir(d);) n++;
    closedir(d);
  }
  done();
}
