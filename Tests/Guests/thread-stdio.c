// Abstract: threads print to one stream: lines stay whole, flockfile holds several together.
#include "thread.h"

enum { N = 6, LINES = 50 };
static FILE *f;
static void *prints(void *arg) {
  for (int i = 0; i < LINES; i++) {
    if (i % 10 == 0) {
      flockfile(f);
      fprintf(f, "%ld begin\n", (long)arg);
      sched_yield();
      fprintf(f, "%ld end\n", (long)arg);
      funlockfile(f);
    } else fprintf(f, "%ld line %d\n", (long)arg, i);
  }
  return NULL;
}

int main(void) {
  pthread_t t[N];
  char line[64], next[64];
  int lines = 0, seen[N] = {0};
  f = tmpfile();
  check(f != NULL);
  setvbuf(f, NULL, _IOFBF, 100);
  for (long i = 0; i < N; i++) t[i] = start(prints, (void *)i);
  for (int i = 0; i < N; i++) end(t[i]);
  rewind(f);
  while (fgets(line, sizeof line, f)) {
    long who;
    int k;
    if (sscanf(line, "%ld line %d\n", &who, &k) == 2) seen[who]++;
    else {
      check(fgets(next, sizeof next, f) && line[0] == next[0] && strstr(line, "begin") && strstr(next, "end"));
      lines++;
    }
  }
  for (int i = 0; i < N; i++) say("%d ", seen[i]);
  say("%d\n", lines);
  done();
}
