// threads - a guest of many threads that runs until it is told to end: one of them is blocked at every place that there
// is when a replica is lost. In each round all are let go once, and each of them answers; then the round's number is
// printed. Whoever does not come back from its place stops the count.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(c) ((c) ? (void)0 : fail(__LINE__))
static void fail(int line) {
  dprintf(2, "threads.c:%d: %s\n", line, strerror(errno));
  exit(1);
}

static sem_t answers;
static void answer(void) { CHECK(sem_post(&answers) == 0); }

enum { READ, POLL, SELECT, EPOLL, RECEIVE, PLACES_OF_PIPES };
static int pipes[PLACES_OF_PIPES][2], full[2], event, listener, locked;
static struct sockaddr_un name = {.sun_family = AF_UNIX};
static sem_t posted, timed_posted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t timed_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, timed_cond = PTHREAD_COND_INITIALIZER;
static unsigned long round_, timed_round;
static pthread_barrier_t barrier;
static atomic_int spin;

static struct timespec late(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += 1000;
  return t;
}
static void take(int fd) {
  char b;
  CHECK(read(fd, &b, 1) == 1);
  answer();
}
static void *in_read(void *none) { for (;;) take(pipes[READ][0]); return none; }
static void *in_poll(void *none) {
  for (;;) {
    struct pollfd p = {pipes[POLL][0], POLLIN, 0};
    CHECK(poll(&p, 1, 1000000) == 1);
    take(p.fd);
  }
  return none;
}
static void *in_select(void *none) {
  for (;;) {
    fd_set s;
    FD_ZERO(&s);
    FD_SET(pipes[SELECT][0], &s);
    CHECK(select(pipes[SELECT][0] + 1, &s, NULL, NULL, NULL) == 1);
    take(pipes[SELECT][0]);
  }
  return none;
}
static void *in_epoll(void *none) {
  struct epoll_event e = {.events = EPOLLIN};
  int ep = epoll_create1(0);
  CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[EPOLL][0], &e) == 0);
  for (;;) {
    CHECK(epoll_wait(ep, &e, 1, -1) == 1);
    take(pipes[EPOLL][0]);
  }
  return none;
}
static void *in_recv(void *none) {
  for (char b;;) {
    CHECK(recv(pipes[RECEIVE][0], &b, 1, 0) == 1);
    answer();
  }
  return none;
}
static void *in_write(void *none) {
  static char much[1 << 17]; // more than the pipe holds
  for (;;) {
    CHECK(write(full[1], much, sizeof much) == sizeof much);
    answer();
  }
  return none;
}
static void *in_eventfd(void *none) {
  for (uint64_t v;;) {
    CHECK(read(event, &v, 8) == 8);
    answer();
  }
  return none;
}
static void *in_accept(void *none) {
  for (;;) {
    int s = accept(listener, NULL, NULL);
    CHECK(s >= 0 && close(s) == 0);
    answer();
  }
  return none;
}
static void *in_sem(void *none) {
  for (;;) {
    while (sem_wait(&posted)) CHECK(errno == EINTR);
    answer();
  }
  return none;
}
static void *in_timed_sem(void *none) {
  for (;;) {
    struct timespec t = late();
    while (sem_timedwait(&timed_posted, &t)) CHECK(errno == EINTR);
    answer();
  }
  return none;
}
static void *in_cond(void *none) {
  for (unsigned long seen = 0;;) {
    pthread_mutex_lock(&mutex);
    while (round_ == seen) pthread_cond_wait(&cond, &mutex);
    seen = round_;
    pthread_mutex_unlock(&mutex);
    answer();
  }
  return none;
}
static void *in_timed_cond(void *none) {
  for (unsigned long seen = 0;;) {
    struct timespec t = late();
    pthread_mutex_lock(&timed_mutex);
    while (timed_round == seen) CHECK(pthread_cond_timedwait(&timed_cond, &timed_mutex, &t) == 0);
    seen = timed_round;
    pthread_mutex_unlock(&timed_mutex);
    answer();
  }
  return none;
}
static void *in_mutex(void *none) {
  for (;;) {
    pthread_barrier_wait(&barrier); // the other one has it
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    answer();
    pthread_barrier_wait(&barrier); // until it has it again
  }
  return none;
}
static void *in_flock(void *none) {
  int fd = open("lock", O_RDWR);
  CHECK(fd >= 0);
  for (;;) {
    pthread_barrier_wait(&barrier);
    CHECK(flock(fd, LOCK_EX) == 0 && flock(fd, LOCK_UN) == 0);
    answer();
    pthread_barrier_wait(&barrier);
  }
  return none;
}
static void *in_sigwait(void *none) {
  sigset_t s;
  int sig;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  for (;;) {
    CHECK(sigwait(&s, &sig) == 0);
    answer();
  }
  return none;
}
static void *in_sleep(void *none) {
  for (;;) {
    struct timespec t = {0, 2000000};
    while (nanosleep(&t, &t)) CHECK(errno == EINTR);
    int one = 1;
    if (atomic_compare_exchange_strong(&spin, &one, 0)) answer();
  }
  return none;
}
static void *long_sleep(void *none) {
  for (;;) sleep(100000);
  return none;
}
static void *begins_others(void *none) { // threads begin and end all the time
  for (;;) {
    pthread_t t;
    while (sem_wait(none)) CHECK(errno == EINTR);
    CHECK(pthread_create(&t, NULL, (void *(*)(void *))(void *)getppid, NULL) == 0 && pthread_join(t, NULL) == 0);
    answer();
  }
  return none;
}

int main(void) {
  static void *(*const places[])(void *) = {in_read, in_poll, in_select, in_epoll, in_recv, in_write, in_eventfd, in_accept,
                                            in_sem, in_timed_sem, in_cond, in_timed_cond, in_mutex, in_flock, in_sigwait,
                                            in_sleep, begins_others};
  enum { PLACES = sizeof places / sizeof *places };
  static sem_t begin;
  static char much[1 << 17];
  pthread_t t;
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  sem_init(&answers, 0, 0), sem_init(&posted, 0, 0), sem_init(&timed_posted, 0, 0), sem_init(&begin, 0, 0);
  for (int i = 0; i < PLACES_OF_PIPES; i++)
    CHECK((i == RECEIVE ? socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[i]) : pipe(pipes[i])) == 0);
  CHECK(pipe(full) == 0);
  event = eventfd(0, 0);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t length = sizeof name;
  CHECK(bind(listener, (void *)&name, sizeof(sa_family_t)) == 0 && listen(listener, 8) == 0);
  CHECK(getsockname(listener, (void *)&name, &length) == 0);
  locked = open("lock", O_RDWR | O_CREAT, 0600);
  CHECK(locked >= 0 && flock(locked, LOCK_EX) == 0);
  pthread_mutex_lock(&held);
  pthread_barrier_init(&barrier, NULL, 3);
  for (int i = 0; i < PLACES; i++) CHECK(pthread_create(&t, NULL, places[i], &begin) == 0);
  CHECK(pthread_create(&t, NULL, long_sleep, NULL) == 0);
  for (unsigned long n = 0;; n++) {
    pthread_barrier_wait(&barrier); // two come to locks that are held
    struct timespec pause = {0, 3000000};
    nanosleep(&pause, NULL); // and all are at their places
    for (int i = 0; i < PLACES_OF_PIPES; i++)
      CHECK((i == RECEIVE ? send(pipes[i][1], "x", 1, 0) : write(pipes[i][1], "x", 1)) == 1);
    for (size_t k = 0; k < sizeof much;) {
      ssize_t r = read(full[0], much, sizeof much - k);
      CHECK(r > 0);
      k += (size_t)r;
    }
    CHECK(write(event, &(uint64_t){1}, 8) == 8);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(connect(c, (void *)&name, length) == 0 && close(c) == 0);
    sem_post(&posted), sem_post(&timed_posted), sem_post(&begin);
    pthread_mutex_lock(&mutex);
    round_++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    pthread_mutex_lock(&timed_mutex);
    timed_round++;
    pthread_cond_broadcast(&timed_cond);
    pthread_mutex_unlock(&timed_mutex);
    pthread_mutex_unlock(&held);
    CHECK(flock(locked, LOCK_UN) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    spin = 1;
    for (int i = 0; i < PLACES; i++)
      while (sem_wait(&answers)) CHECK(errno == EINTR);
    CHECK(flock(locked, LOCK_EX) == 0);
    pthread_mutex_lock(&held);
    pthread_barrier_wait(&barrier);
    char line[32];
    int bytes = snprintf(line, sizeof line, "%lu\n", n);
    CHECK(write(1, line, (size_t)bytes) == bytes);
  }
}
