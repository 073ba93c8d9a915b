// Abstract: a fault in one thread ends the program, with others in calls.
// Ends: signal 11
#include "thread.h"

static sem_t ready;
static void *waits(void *arg) {
  up(&ready);
  for (;;) pause();
  return arg;
}
static void *faults(void *arg) {
  *(volatile int *)arg = 1;
  return NULL;
}

int main(void) {
  sem_init(&ready, 0, 0);
  for (int i = 0; i < 4; i++) start(waits, NULL);
  for (int i = 0; i < 4; i++) down(&ready);
  say("now\n");
  end(start(faults, (void *)16));
  say("not reached\n");
  done();
}
