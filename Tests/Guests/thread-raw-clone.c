// Abstract: threads made by clone itself: ids, CLONE_PARENT_SETTID, CHILD_SETTID, CHILD_CLEARTID, end by exit.
#include "thread.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

enum { N = 4, STACK = 65536 };
static int parent_tid[N], child_tid[N], seen[N];
__attribute__((noreturn, noinline)) static void raw_exit(int status) {
  for (;;) __asm__ volatile("syscall" : : "a"(SYS_exit), "D"(status) : "rcx", "r11", "memory");
}
static long raw(long nr, long a, long b, long c, long d) {
  long r;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return r;
}
static int body(void *arg) { // without thread-local variables of its own: no errno
  int me = (int)(long)arg;
  seen[me] = (int)raw(SYS_gettid, 0, 0, 0, 0);
  struct timespec t = {0, 2000000};
  raw(SYS_nanosleep, (long)&t, 0, 0, 0);
  raw_exit(me);
}

int main(void) {
  char *stacks = mmap(NULL, N * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
              CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  int id[N];
  for (long i = 0; i < N; i++) {
    child_tid[i] = -1;
    id[i] = clone(body, stacks + (i + 1) * STACK, flags, (void *)i, &parent_tid[i], NULL, &child_tid[i]);
    check(id[i] > 0 && parent_tid[i] == id[i]);
  }
  for (int i = 0; i < N; i++) {
    int v;
    while ((v = *(volatile int *)&child_tid[i]) != 0) syscall(SYS_futex, &child_tid[i], FUTEX_WAIT, v, NULL, NULL, 0);
    check(seen[i] == id[i] && id[i] != getpid());
  }
  show(waitpid(-1, NULL, __WALL));
  show(syscall(SYS_tgkill, getpid(), id[0], 0));
  done();
}
