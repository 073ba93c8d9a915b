// Abstract: timers with SIGEV_THREAD run their function in threads of their own, with their value.
#include "thread.h"

static sem_t ran;
static atomic_int sum, not_main;
static pthread_t first;
static void tick(union sigval v) {
  if (sem_trywait(&ran) == 0) up(&ran);
  sum += v.sival_int;
  not_main += !pthread_equal(pthread_self(), first);
  up(&ran);
}

int main(void) {
  timer_t t, u;
  first = pthread_self();
  sem_init(&ran, 0, 0);
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_int = 5};
  check(timer_create(CLOCK_MONOTONIC, &e, &t) == 0);
  e.sigev_value.sival_int = 1000;
  check(timer_create(CLOCK_REALTIME, &e, &u) == 0);
  struct itimerspec once = {{0, 0}, {0, 3000000}};
  check(timer_settime(t, 0, &once, NULL) == 0);
  down(&ran);
  say("%d\n", sum);
  check(timer_settime(u, 0, &once, NULL) == 0);
  down(&ran);
  say("%d\n", sum);
  struct itimerspec often = {{0, 2000000}, {0, 2000000}};
  check(timer_settime(t, 0, &often, NULL) == 0);
  for (int i = 0; i < 4; i++) down(&ran);
  check(timer_delete(t) == 0 && timer_delete(u) == 0);
  check(sum >= 1005 + 4 * 5 && not_main >= 6);
  done();
}
