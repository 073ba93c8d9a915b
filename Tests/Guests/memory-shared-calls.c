// Abstract: calls that write a mapped file show in the mapping, and what is stored there shows in calls.
#include "guest.h"
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

int main(void) {
  make_file("source", "0123456789abcdefghijklmnopqrstuvwxyz");
  int fd = open("f", O_RDWR | O_CREAT, 0644), from = open("source", O_RDONLY);
  check(ftruncate(fd, 16384) == 0);
  char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), text[64];
  check(m != MAP_FAILED);
  for (int i = 0; i < 200; i++) {
    m[i] = (char)('a' + i % 26);
    int n = snprintf(text, sizeof text, "%d%c", i, m[i]);
    check(pwrite(fd, text, n, 1000 + i * 7) == n);
    check(memcmp(m + 1000 + i * 7, text, n) == 0);
    m[1000 + i * 7] ^= 1;
    check(pread(fd, text, 2, 1000 + i * 7) == 2 && text[0] == m[1000 + i * 7]);
  }
  say("%016lx\n", hash(m, 16384));
  check(lseek(fd, 4090, SEEK_SET) == 4090);
  check(write(fd, "over the border", 15) == 15);
  say("%.15s\n", m + 4090);
  struct iovec v[2] = {{"one ", 4}, {"two", 3}};
  check(writev(fd, v, 2) == 7);
  say("%.22s\n", m + 4090);
  check(pwritev(fd, v, 2, 9000) == 7);
  say("%.7s\n", m + 9000);
  int end = open("f", O_WRONLY | O_APPEND);
  check(ftruncate(fd, 8000) == 0 && write(end, "appended", 8) == 8);
  say("%.8s\n", m + 8000);
  check(lseek(fd, 5000, SEEK_SET) == 5000);
  off_t zero = 0;
  show(sendfile(fd, from, &zero, 10));
  say("%.10s\n", m + 5000);
  off_t to = 6000;
  zero = 10;
  show(copy_file_range(from, &zero, fd, &to, 20, 0));
  say("%.20s\n", m + 6000);
  int p[2];
  check(pipe(p) == 0 && write(p[1], "spliced", 7) == 7);
  loff_t at = 7000;
  show(splice(p[0], NULL, fd, &at, 7, 0));
  say("%.7s\n", m + 7000);
  strcpy(m + 100, "through the mapping");
  check(lseek(fd, 100, SEEK_SET) == 100 && read(fd, text, 20) == 20);
  say("%s\n", text);
  check(write(p[1], m + 100, 7) == 7 && read(p[0], m + 300, 7) == 7);
  say("%.7s\n", m + 300);
  check(pread(fd, m + 400, 8, 1000) == 8);
  say("%016lx\n", hash(m, 8008));
  show(fsync(fd));
  done();
}
