// Abstract: a lock-free queue of many producers and consumers on C11 atomics, with sched_yield when it is empty or full.
#include "thread.h"

enum { ROOM = 64, P = 3, C = 3, EACH = 2000 };
static struct { atomic_ulong seq; unsigned long value; } cell[ROOM];
static atomic_ulong head, tail;
static atomic_long taken, sum;

static int put(unsigned long v) {
  unsigned long at = atomic_load_explicit(&head, memory_order_relaxed);
  for (;;) {
    long d = (long)(atomic_load_explicit(&cell[at % ROOM].seq, memory_order_acquire) - at);
    if (d < 0) return 0;
    if (d == 0 && atomic_compare_exchange_weak(&head, &at, at + 1)) break;
    if (d > 0) at = atomic_load(&head);
  }
  cell[at % ROOM].value = v;
  atomic_store_explicit(&cell[at % ROOM].seq, at + 1, memory_order_release);
  return 1;
}
static int take(unsigned long *v) {
  unsigned long at = atomic_load_explicit(&tail, memory_order_relaxed);
  for (;;) {
    long d = (long)(atomic_load_explicit(&cell[at % ROOM].seq, memory_order_acquire) - (at + 1));
    if (d < 0) return 0;
    if (d == 0 && atomic_compare_exchange_weak(&tail, &at, at + 1)) break;
    if (d > 0) at = atomic_load(&tail);
  }
  *v = cell[at % ROOM].value;
  atomic_store_explicit(&cell[at % ROOM].seq, at + ROOM, memory_order_release);
  return 1;
}
static void *produces(void *arg) {
  for (unsigned long i = 0; i < EACH; i++)
    while (!put(i + 1)) sched_yield();
  return arg;
}
static void *consumes(void *arg) {
  unsigned long v;
  while (taken < P * EACH) {
    if (!take(&v)) {
      sched_yield();
      continue;
    }
    sum += (long)v;
    taken++;
  }
  return arg;
}

int main(void) {
  pthread_t p[P], c[C];
  for (unsigned long i = 0; i < ROOM; i++) cell[i].seq = i;
  for (int i = 0; i < P; i++) p[i] = start(produces, NULL);
  for (int i = 0; i < C; i++) c[i] = start(consumes, NULL);
  for (int i = 0; i < P; i++) end(p[i]);
  for (int i = 0; i < C; i++) end(c[i]);
  say("%ld %ld\n", (long)taken, (long)sum);
  done();
}
