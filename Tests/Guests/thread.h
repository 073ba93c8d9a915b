// thread.h - what the guests with threads share. The kernel runs threads as it likes: what they print comes
// in turns, or from one of them after it has waited for the others.
#ifndef GUEST_THREAD_H
#define GUEST_THREAD_H
#include "guest.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>

typedef void *thread_body(void *);

static GUEST_UNUSED pthread_t start(thread_body *body, void *arg) {
  pthread_t t;
  check(pthread_create(&t, NULL, body, arg) == 0);
  return t;
}
static GUEST_UNUSED long end(pthread_t t) {
  void *result;
  check(pthread_join(t, &result) == 0);
  return (long)result;
}

// Prints the text of a call that returns an error number.
#define tell(call)                                                                                                    \
  ({                                                                                                                  \
    int error_ = (call);                                                                                              \
    say("%s = %s\n", #call, error_ ? strerrorname_np(error_) : "0");                                                  \
    error_;                                                                                                           \
  })

// Waits for its turn; turns are counted from 0.
static pthread_mutex_t turn_mutex_ = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changes_ = PTHREAD_COND_INITIALIZER;
static long turn_;
static GUEST_UNUSED void await_turn(long n) {
  check(pthread_mutex_lock(&turn_mutex_) == 0);
  while (turn_ != n) check(pthread_cond_wait(&turn_changes_, &turn_mutex_) == 0);
  check(pthread_mutex_unlock(&turn_mutex_) == 0);
}
static GUEST_UNUSED void next_turn(void) {
  check(pthread_mutex_lock(&turn_mutex_) == 0);
  turn_++;
  check(pthread_cond_broadcast(&turn_changes_) == 0);
  check(pthread_mutex_unlock(&turn_mutex_) == 0);
}

static GUEST_UNUSED void down(sem_t *s) {
  while (sem_wait(s)) check(errno == EINTR);
}
static GUEST_UNUSED void up(sem_t *s) { check(sem_post(s) == 0); }

// The time on a clock so many ms from now.
static GUEST_UNUSED struct timespec in_ms(clockid_t clock, long ms) {
  int64_t at = now_ns(clock) + ms * 1000000;
  return (struct timespec){at / 1000000000, at % 1000000000};
}
// Most calls that wait do so within this time after they were announced. No result depends on it.
static GUEST_UNUSED void let_them_block(void) { pause_ms(3); }
#endif
