// Abstract: stat, lstat, fstat, fstatat, statx, statfs and statvfs agree.
#include "guest.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>

int main(void) {
  struct stat a, b, c, d;
  struct statx x;
  make_file("f", "12345");
  int fd = open("f", O_RDONLY);
  show(stat("f", &a));
  show(lstat("f", &b));
  show(fstat(fd, &c));
  show(fstatat(fd, "", &d, AT_EMPTY_PATH));
  check(!memcmp(&a, &b, sizeof a) && !memcmp(&a, &c, sizeof a) && !memcmp(&a, &d, sizeof a));
  say("mode %o links %ld size %ld\n", a.st_mode, (long)a.st_nlink, (long)a.st_size);
  show(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
  check(x.stx_ino == a.st_ino && x.stx_size == 5 && x.stx_mode == a.st_mode && x.stx_mtime.tv_sec == a.st_mtim.tv_sec);
  show(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  show(statx(AT_FDCWD, "none", 0, STATX_SIZE, &x));
  struct statfs s, t;
  struct statvfs v;
  show(statfs(".", &s));
  show(fstatfs(fd, &t));
  show(statvfs(".", &v));
  check(s.f_type == t.f_type && s.f_bsize == t.f_bsize && v.f_namemax == (unsigned long)s.f_namelen);
  show(stat("f/x", &a));
  show(stat("", &a));
  done();
}
