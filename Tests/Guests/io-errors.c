// Abstract: bad pointers, bad descriptors and bad arguments give the right errno, never a crash.
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  char *bad = (char *)8, c;
  struct stat s;
  int fd = open("f", O_RDWR | O_CREAT, 0644), p[2];
  check(pipe(p) == 0);
  show(write(fd, bad, 10));
  show(write(fd, bad, 0));
  show(write(fd, "abc", 3));
  show(pread(fd, bad, 3, 0));
  show(read(99, &c, 1));
  show(write(-1, &c, 1));
  show(open(bad, O_RDONLY));
  show(stat("f", (struct stat *)bad));
  show(stat(bad, &s));
  show(pipe((int *)bad));
  show(writev(fd, (struct iovec *)bad, 2));
  struct iovec v = {bad, 5};
  show(writev(fd, &v, 1));
  show(readv(fd, &v, -1));
  show(clock_gettime(77, (struct timespec *)&s));
  show(lseek(p[0], 0, SEEK_SET));
  show(lseek(fd, 0, 77));
  show(lseek(fd, -100, SEEK_SET));
  show(read(open(".", O_RDONLY), &c, 1));
  show(open(".", O_WRONLY));
  show(mkdir(bad, 0755));
  show(recv(fd, &c, 1, 0));
  show(socket(AF_UNIX, 99, 0));
  show(socket(999, SOCK_STREAM, 0));
  show(ioctl(fd, 0x12345678, 0));
  char name[300];
  memset(name, 'n', sizeof name);
  name[299] = 0;
  show(open(name, O_RDONLY));
  done();
}
