// Abstract: main returns while threads are still in calls and in timed waits: the program ends at once.
// Ends: exit 3
#include "thread.h"

static sem_t ready, never;
static void *waits(void *arg) {
  up(&ready);
  struct timespec late = in_ms(CLOCK_REALTIME, 100000);
  if (arg) sem_timedwait(&never, &late);
  else pause_ms(100000);
  return NULL;
}

int main(void) {
  sem_init(&ready, 0, 0), sem_init(&never, 0, 0);
  for (long i = 0; i < 8; i++) start(waits, (void *)(i & 1));
  for (int i = 0; i < 8; i++) down(&ready);
  say("main returns\n");
  return 3;
}
