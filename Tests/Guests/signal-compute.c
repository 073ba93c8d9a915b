// Abstract: a program that computes and calls nothing has its handlers run, and goes on with the right numbers.
#include "guest.h"
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static volatile double noise = 1;
static void handler(int s) {
  ticks += s == SIGALRM;
  for (int i = 0; i < 100; i++) noise = noise * 1.5 - (double)(long)noise; // uses the vector registers
}
int main(void) {
  struct sigaction a = {.sa_handler = handler};
  sigaction(SIGALRM, &a, NULL);
  struct itimerval v = {{0, 3000}, {0, 3000}};
  setitimer(ITIMER_REAL, &v, NULL);
  double sum = 0;
  uint64_t x = 1, rounds = 0;
  while (ticks < 5) {
    double part = 0;
    for (int i = 1; i < 1000; i++) part += 1.0 / i;
    if (sum == 0) sum = part;
    check(part == sum);
    x = x * 6364136223846793005ull + 1, rounds++;
  }
  v = (struct itimerval){0};
  setitimer(ITIMER_REAL, &v, NULL);
  uint64_t y = 1;
  for (uint64_t i = 0; i < rounds; i++) y = y * 6364136223846793005ull + 1;
  check(x == y);
  say("%.10f\n", sum);
  done();
}
