// Abstract: a thread reads inotify events of files that another one makes, writes and removes.
#include "thread.h"
#include <sys/inotify.h>

static int in;
static void *watches(void *arg) {
  char b[4096] __attribute__((aligned(8)));
  for (;;) {
    ssize_t n = read(in, b, sizeof b);
    check(n > 0);
    for (ssize_t at = 0; at < n;) {
      struct inotify_event *e = (void *)(b + at);
      say("%x %s\n", e->mask, e->len ? e->name : "-");
      if (e->len && strcmp(e->name, "last") == 0) return arg;
      at += (ssize_t)(sizeof *e + e->len);
    }
  }
}

int main(void) {
  check(mkdir("dir", 0700) == 0);
  in = inotify_init1(0);
  check(inotify_add_watch(in, "dir", IN_CREATE | IN_DELETE | IN_CLOSE_WRITE) > 0);
  pthread_t t = start(watches, NULL);
  let_them_block();
  for (int i = 0; i < 5; i++) {
    char name[32];
    snprintf(name, sizeof name, "dir/%d", i);
    make_file(name, "x");
    check(unlink(name) == 0);
  }
  check(mkdir("dir/last", 0700) == 0);
  end(t);
  done();
}
