// Abstract: fallocate, posix_fallocate, posix_fadvise, fsync, fdatasync, sync_file_range.
#include "guest.h"

int main(void) {
  struct stat s;
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  show(posix_fallocate(fd, 0, 10000));
  show(fstat(fd, &s));
  say("size %ld\n", (long)s.st_size);
  show(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
  show(fstat(fd, &s));
  say("size %ld\n", (long)s.st_size);
  show(fallocate(fd, 0, -1, 5));
  show(write(fd, "data", 4));
  show(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  show(fsync(fd));
  show(fdatasync(fd));
  show(sync_file_range(fd, 0, 4, SYNC_FILE_RANGE_WRITE));
  show(syncfs(fd));
  done();
}
