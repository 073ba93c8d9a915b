// Abstract: a signal to one of several blocked threads ends its call alone, or none with SA_RESTART.
#include "thread.h"
#include <poll.h>

enum { N = 5 };
static int fds[2];
static sem_t ready, handled;
static volatile int done_one[N];
static void handler(int sig) {
  (void)sig;
  sem_post(&handled);
}
static void *blocked(void *arg) {
  long me = (long)arg, r;
  char b;
  up(&ready);
  if (me == 4) r = poll(NULL, 0, -1);
  else r = read(fds[0], &b, 1);
  int e = errno;
  done_one[me] = 1;
  return (void *)(r < 0 ? -(long)e : r);
}
static pthread_t t[N];

int main(void) {
  struct sigaction a = {.sa_handler = handler}, restart = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &a, NULL), sigaction(SIGUSR2, &restart, NULL);
  check(pipe(fds) == 0);
  sem_init(&ready, 0, 0), sem_init(&handled, 0, 0);
  for (long i = 0; i < N; i++) t[i] = start(blocked, (void *)i);
  for (int i = 0; i < N; i++) down(&ready);
  pause_ms(20); // each is in its call: what else would it do
  check(pthread_kill(t[1], SIGUSR1) == 0);
  say("1: %s\n", strerrorname_np((int)-end(t[1])));
  check(pthread_kill(t[2], SIGUSR2) == 0);
  down(&handled), down(&handled);
  pause_ms(5);
  say("%d%d%d%d%d\n", done_one[0], done_one[1], done_one[2], done_one[3], done_one[4]);
  check(pthread_kill(t[4], SIGUSR2) == 0);
  say("4: %s\n", strerrorname_np((int)-end(t[4])));
  check(write(fds[1], "abc", 3) == 3);
  say("%ld %ld %ld\n", end(t[0]), end(t[2]), end(t[3]));
  done();
}
