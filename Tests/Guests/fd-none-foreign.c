// Abstract: no descriptor is open but 0, 1, 2, also by /proc/self/fd.
#include "guest.h"
#include <dirent.h>

int main(void) {
  for (int fd = 0; fd < 4096; fd++)
    if (fcntl(fd, F_GETFD) >= 0) say("open: %d\n", fd);
  DIR *d = opendir("/proc/self/fd");
  check(d);
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  say("%d listed\n", n);
  closedir(d);
  show(open("/dev/null", O_RDONLY));
  done();
}
