// Abstract: utimensat, futimens, utimes and utime set what stat then shows.
#include "guest.h"
#include <sys/time.h>
#include <utime.h>

static void times(void) {
  struct stat s;
  check(stat("f", &s) == 0);
  say("%ld.%09ld %ld.%09ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

int main(void) {
  make_file("f", "x");
  struct timespec t[2] = {{1000, 123456789}, {2000, 987654321}};
  show(utimensat(AT_FDCWD, "f", t, 0));
  times();
  t[0] = (struct timespec){3000, 5};
  t[1].tv_nsec = UTIME_OMIT;
  int fd = open("f", O_RDONLY);
  show(futimens(fd, t));
  times();
  struct timeval v[2] = {{4000, 1}, {5000, 2}};
  show(utimes("f", v));
  times();
  struct utimbuf u = {6000, 7000};
  show(utime("f", &u));
  times();
  show(utimensat(AT_FDCWD, "none", NULL, 0));
  show(utimensat(AT_FDCWD, "f", NULL, 0));
  struct stat s;
  check(stat("f", &s) == 0 && s.st_mtime > 1000000);
  done();
}
