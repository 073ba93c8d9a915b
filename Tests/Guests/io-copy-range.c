// Abstract: copy_file_range copies inside the kernel and moves the offsets.
#include "guest.h"

int main(void) {
  static char data[50000], back[50000];
  fill(data, sizeof data, 5);
  int f = open("f", O_RDWR | O_CREAT, 0644), g = open("g", O_RDWR | O_CREAT, 0644);
  check(write(f, data, sizeof data) == sizeof data);
  loff_t from = 10000, to = 5;
  show(copy_file_range(f, &from, g, &to, 20000, 0));
  say("%ld %ld\n", (long)from, (long)to);
  show(pread(g, back, sizeof back, 5));
  check(!memcmp(back, data + 10000, 20000));
  show(lseek(f, 49000, SEEK_SET));
  show(copy_file_range(f, NULL, g, NULL, 20000, 0));
  show(lseek(f, 0, SEEK_CUR));
  show(lseek(g, 0, SEEK_CUR));
  show(copy_file_range(f, NULL, g, NULL, 1, 99));
  done();
}
