// Abstract: inotify tells of created, changed, renamed and removed files, in order.
#include "guest.h"
#include <sys/inotify.h>

int main(void) {
  int i = inotify_init1(IN_NONBLOCK);
  show(mkdir("d", 0755));
  show(inotify_add_watch(i, "d", IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE));
  show(inotify_add_watch(i, "none", IN_CREATE));
  make_file("d/a", "text");
  show(rename("d/a", "d/b"));
  show(unlink("d/b"));
  char b[4096] __attribute__((aligned(8)));
  ssize_t n = read(i, b, sizeof b);
  for (char *p = b; p < b + n;) {
    struct inotify_event *e = (void *)p;
    say("%d %#x %s\n", e->wd, e->mask, e->len ? e->name : "");
    p += sizeof *e + e->len;
  }
  show(read(i, b, sizeof b));
  show(inotify_rm_watch(i, 1));
  show(inotify_rm_watch(i, 1));
  show(read(i, b, sizeof b));
  done();
}
