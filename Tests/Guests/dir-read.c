// Abstract: readdir, scandir, rewinddir, seekdir over 300 entries.
#include "guest.h"
#include <dirent.h>

static int count(DIR *d) {
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  return n;
}

int main(void) {
  for (int i = 0; i < 300; i++) {
    char name[32];
    snprintf(name, sizeof name, "file-%03d", i);
    check(mknod(name, S_IFREG | 0644, 0) == 0);
  }
  mkdir("zdir", 0755);
  DIR *d = opendir(".");
  say("%d entries\n", count(d));
  rewinddir(d);
  readdir(d);
  long here = telldir(d);
  int rest = count(d);
  seekdir(d, here);
  check(count(d) == rest);
  closedir(d);
  struct dirent **list;
  int n = scandir(".", &list, NULL, alphasort);
  say("%d sorted: %s %s … %s\n", n, list[0]->d_name, list[2]->d_name, list[n - 1]->d_name);
  check(list[n - 1]->d_type == DT_DIR || list[n - 1]->d_type == DT_UNKNOWN);
  errno = 0;
  say("%d ", opendir("none") != NULL);
  say("%s\n", strerrorname_np(errno));
  done();
}
