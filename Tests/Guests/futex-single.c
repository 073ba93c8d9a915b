// Abstract: one thread alone waits for semaphores and futexes: a handler posts, interrupts, or the time runs out.
#include "guest.h"
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>

static sem_t s;
static uint32_t word;
static volatile int hits;
static void posts(int sig) {
  hits += sig == SIGALRM;
  sem_post(&s);
}
static void counts(int sig) { hits += sig == SIGALRM; }
static void in_ms(int ms) {
  struct itimerval v = {{0, 0}, {0, ms * 1000}};
  check(setitimer(ITIMER_REAL, &v, NULL) == 0);
}

int main(void) {
  struct sigaction a = {.sa_handler = posts}, restart = {.sa_handler = posts, .sa_flags = SA_RESTART};
  struct sigaction count = {.sa_handler = counts}, count_restart = {.sa_handler = counts, .sa_flags = SA_RESTART};
  sem_init(&s, 0, 0);
  sigaction(SIGALRM, &restart, NULL);
  in_ms(10);
  show(sem_wait(&s));
  sigaction(SIGALRM, &a, NULL);
  in_ms(10);
  show(sem_wait(&s)); // interrupted, but there is one
  show(sem_trywait(&s));
  sigaction(SIGALRM, &count, NULL);
  in_ms(10);
  show(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
  in_ms(10);
  struct timespec long_time = {100, 0};
  show(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0));
  sigaction(SIGALRM, &count_restart, NULL);
  in_ms(10);
  show(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0));
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 30000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  in_ms(10);
  show(sem_timedwait(&s, &t));
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 5000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  show(sem_timedwait(&s, &t));
  say("%d\n", hits);
  word = (uint32_t)gettid();
  show(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  show(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  word = 0x3ffffff0;
  show(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  done();
}
