// Abstract: threads wait in message queues, for messages and for room, with and without time-outs.
#include "thread.h"
#include <mqueue.h>

static mqd_t q;
static sem_t ready;
enum { N = 50 };
static void *receives(void *arg) {
  long sum = 0;
  char b[16];
  up(&ready);
  for (int i = 0; i < N; i++) {
    unsigned prio;
    check(mq_receive(q, b, sizeof b, &prio) == 4);
    int v;
    memcpy(&v, b, 4);
    sum += v;
  }
  return (void *)sum + 0 * (arg != NULL);
}
static void *sends(void *arg) {
  up(&ready);
  for (int i = 0; i < N; i++) check(mq_send(q, (char *)&i, 4, i % 3) == 0);
  return arg;
}

int main(void) {
  char name[32], b[16];
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 16};
  sem_init(&ready, 0, 0);
  snprintf(name, sizeof name, "/mfr-thread-%d", getpid());
  q = mq_open(name, O_CREAT | O_RDWR | O_EXCL, 0600, &a);
  if (q < 0 && (errno == ENOSYS || errno == EACCES)) done(), exit(0);
  check(q >= 0 && mq_unlink(name) == 0);
  pthread_t r = start(receives, NULL);
  down(&ready);
  let_them_block();
  pthread_t s = start(sends, NULL);
  say("%ld\n", end(r) + end(s));
  s = start(sends, NULL);
  let_them_block();
  r = start(receives, NULL);
  say("%ld\n", end(r) + end(s));
  struct timespec soon = in_ms(CLOCK_REALTIME, 10);
  show(mq_timedreceive(q, b, sizeof b, NULL, &soon));
  for (int i = 0; i < 4; i++) check(mq_send(q, "x", 1, 0) == 0);
  soon = in_ms(CLOCK_REALTIME, 10);
  show(mq_timedsend(q, "x", 1, 0, &soon));
  check(mq_close(q) == 0);
  done();
}
