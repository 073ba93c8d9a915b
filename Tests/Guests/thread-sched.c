// Abstract: affinity, scheduling parameters, priorities and ids of threads, asked and set by themselves and by others.
#include "thread.h"
#include <sys/resource.h>

static sem_t there, go;
static pid_t tid;
static void *run(void *arg) {
  tid = gettid();
  check(tid != getpid() && tid == syscall(SYS_gettid));
  up(&there);
  down(&go);
  cpu_set_t s;
  check(pthread_getaffinity_np(pthread_self(), sizeof s, &s) == 0);
  say("cpus %s\n", CPU_COUNT(&s) >= 1 ? "some" : "none");
  return arg;
}

int main(void) {
  sem_init(&there, 0, 0), sem_init(&go, 0, 0);
  pthread_t t = start(run, NULL);
  down(&there);
  cpu_set_t s, now;
  check(pthread_getaffinity_np(t, sizeof s, &s) == 0 && CPU_COUNT(&s) >= 1);
  tell(pthread_setaffinity_np(t, sizeof s, &s));
  check(sched_getaffinity(tid, sizeof now, &now) == 0 && CPU_EQUAL(&s, &now));
  int policy;
  struct sched_param p;
  tell(pthread_getschedparam(t, &policy, &p));
  say("%d %d\n", policy, p.sched_priority);
  tell(pthread_setschedparam(t, SCHED_OTHER, &p));
  tell(pthread_setschedprio(t, 0));
  show(sched_getscheduler(tid));
  show(sched_getparam(tid, &p));
  show(getpriority(PRIO_PROCESS, (id_t)tid) == getpriority(PRIO_PROCESS, 0));
  p.sched_priority = 500;
  tell(pthread_setschedparam(t, SCHED_OTHER, &p));
  pthread_attr_t a;
  check(pthread_attr_init(&a) == 0 && pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED) == 0);
  check(pthread_attr_setschedpolicy(&a, SCHED_OTHER) == 0);
  pthread_t u;
  tell(pthread_create(&u, &a, (thread_body *)(void *)sched_yield, NULL));
  end(u);
  up(&go);
  end(t);
  done();
}
