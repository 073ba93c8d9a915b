// Abstract: OpenMP: parallel loops, reductions, critical sections, tasks and barriers.
// Link: -fopenmp
#include "thread.h"

int main(void) {
  long sum = 0, order = 0, tasks = 0, inside = 0;
  static int seen[1000];
#pragma omp parallel for reduction(+ : sum) num_threads(4) schedule(dynamic, 7)
  for (int i = 0; i < 1000; i++) {
    sum += i;
    seen[i]++;
  }
  for (int i = 0; i < 1000; i++) check(seen[i] == 1);
  say("%ld\n", sum);
#pragma omp parallel num_threads(5)
  {
#pragma omp critical
    {
      long was = ++inside;
      check(was == 1);
      order++;
      inside--;
    }
#pragma omp barrier
    check(order == 5);
#pragma omp single
    for (int i = 0; i < 20; i++)
#pragma omp task
    {
#pragma omp atomic
      tasks += i;
    }
#pragma omp barrier
    check(tasks == 190);
  }
  say("%ld %ld\n", order, tasks);
#pragma omp parallel for ordered num_threads(3)
  for (int i = 0; i < 6; i++) {
#pragma omp ordered
    say("%d ", i);
  }
  say("\n");
  done();
}
