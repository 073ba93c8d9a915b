// Abstract: sendfile from a file to a pipe and to a file, with and without an offset.
#include "guest.h"
#include <sys/sendfile.h>

int main(void) {
  static char data[100000], back[100000];
  fill(data, sizeof data, 3);
  int in = open("in", O_RDWR | O_CREAT, 0644), out = open("out", O_RDWR | O_CREAT, 0644), p[2];
  check(write(in, data, sizeof data) == sizeof data && pipe(p) == 0);
  off_t at = 1000;
  show(sendfile(p[1], in, &at, 4096));
  say("offset %ld\n", (long)at);
  show(lseek(in, 0, SEEK_CUR));
  show(read(p[0], back, sizeof back));
  check(!memcmp(back, data + 1000, 4096));
  show(lseek(in, 0, SEEK_SET));
  show(sendfile(out, in, NULL, sizeof data));
  show(lseek(in, 0, SEEK_CUR));
  show(pread(out, back, sizeof back, 0));
  check(!memcmp(back, data, sizeof data));
  show(sendfile(out, in, NULL, 10));
  show(sendfile(out, p[0], NULL, 10));
  show(sendfile(99, in, NULL, 10));
  done();
}
