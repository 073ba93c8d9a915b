// Abstract: exit in a thread ends all others, wherever they are, and runs what atexit has noted.
// Ends: exit 5
#include "thread.h"
#include <poll.h>

static void one(void) { say("one\n"); }
static void two(void) { say("two\n"); }
static int fds[2];
static sem_t ready, never;
static void *blocked(void *arg) {
  char b;
  up(&ready);
  switch ((long)arg) {
  case 0: read(fds[0], &b, 1); break;
  case 1: sem_wait(&never); break;
  case 2: poll(NULL, 0, 100000); break;
  default: for (;;) pause_ms(1000);
  }
  say("not reached\n");
  return NULL;
}
static void *exits(void *arg) {
  say("exits\n");
  exit((int)(long)arg);
}

int main(void) {
  check(pipe(fds) == 0);
  sem_init(&ready, 0, 0), sem_init(&never, 0, 0);
  atexit(one), atexit(two);
  for (long i = 0; i < 6; i++) start(blocked, (void *)i);
  for (int i = 0; i < 6; i++) down(&ready);
  let_them_block();
  start(exits, (void *)5);
  for (;;) pause();
}
