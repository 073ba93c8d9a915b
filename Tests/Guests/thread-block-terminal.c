// Abstract: a thread reads the terminal while another writes to it and a third sleeps.
// Terminal: one\ntwo\nthree\n
#include "thread.h"

static int lines;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static void *reads(void *arg) {
  char b[256];
  for (ssize_t n; (n = read(0, b, sizeof b)) > 0;) {
    pthread_mutex_lock(&m);
    for (ssize_t i = 0; i < n; i++) lines += b[i] == '\n';
    pthread_mutex_unlock(&m);
  }
  return arg;
}
static void *sleeps(void *arg) {
  for (int i = 0; i < 5; i++) pause_ms(1);
  return arg;
}

int main(void) {
  pthread_t r = start(reads, NULL), s = start(sleeps, NULL);
  end(s);
  end(r);
  say("%d\n", lines);
  done();
}
