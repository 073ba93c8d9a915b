// Abstract: a signal that ends the program does so whichever thread it is for.
// Ends: signal 15
#include "thread.h"

static sem_t ready;
static void *waits(void *arg) {
  up(&ready);
  for (;;) pause_ms(100000);
  return arg;
}
int main(void) {
  pthread_t t[3];
  sem_init(&ready, 0, 0);
  for (int i = 0; i < 3; i++) t[i] = start(waits, NULL);
  for (int i = 0; i < 3; i++) down(&ready);
  say("now\n");
  pthread_kill(t[1], SIGTERM);
  for (;;) pause();
}
