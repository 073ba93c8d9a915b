// Abstract: a thread computes long without any call, while another one waits again and again for a short time.
#include "thread.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int over;
static long rounds;

static void *waits(void *arg) {
  struct timespec until;
  pthread_mutex_lock(&lock);
  while (!over) {
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 3000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&never, &lock, &until);
    rounds++;
  }
  pthread_mutex_unlock(&lock);
  return arg;
}

int main(void) {
  pthread_t t = start(waits, NULL);
  for (int stretch = 0; stretch < 3; stretch++) {
    unsigned long hash = 14695981039346656037u;
    for (long i = 0; i < 200000000; i++) hash = (hash ^ (unsigned long)(i & 255)) * 1099511628211u;
    say("%lx\n", hash);
  }
  pthread_mutex_lock(&lock);
  over = 1;
  pthread_mutex_unlock(&lock);
  end(t);
  check(rounds > 3);
  done();
}
