// Abstract: the identity of a process of many threads changes in all of them (glibc's SIGSETXID), groups too.
#include "thread.h"
#include <grp.h>

enum { N = 4 };
static pthread_barrier_t b;
static sem_t ready, go;
static void *looks(void *arg) {
  long me = (long)arg;
  if (me % 2) up(&ready), pthread_barrier_wait(&b);
  else {
    up(&ready);
    down(&go);
    pthread_barrier_wait(&b);
  }
  uid_t r, e, s;
  gid_t g[4];
  check(getresuid(&r, &e, &s) == 0);
  return (void *)(long)(r + e + s + getgid() + (gid_t)getgroups(4, g));
}

int main(void) {
  pthread_t t[N];
  uid_t uid = getuid() ? getuid() : 1234;
  gid_t gid = getuid() ? getgid() : 4321, list[2] = {11, 12};
  int root = getuid() == 0;
  pthread_barrier_init(&b, NULL, N + 1);
  sem_init(&ready, 0, 0), sem_init(&go, 0, 0);
  for (long i = 0; i < N; i++) t[i] = start(looks, (void *)i);
  for (int i = 0; i < N; i++) down(&ready);
  if (root) check(setgroups(2, list) == 0);
  check(setgid(gid) == 0);
  check(setresuid(uid, uid, uid) == 0);
  for (int i = 0; i < N; i++) up(&go);
  pthread_barrier_wait(&b);
  gid_t g[32];
  long groups = getgroups(32, g);
  for (int i = 0; i < N; i++) {
    long v = end(t[i]);
    check(!root || v == 3l * 1234 + 4321 + 2);
  }
  check(!root || groups == 2);
  if (root) check(setuid(0) == -1 && errno == EPERM);
  done();
}
