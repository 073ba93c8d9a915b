// Abstract: three sets in a pipeline pass a megabyte on, and see its end.
// Protect: 0
#include "guest.h"

int main(void) {
  int p[2], q[2], r[2];
  static char data[1 << 16];
  check(pipe(p) == 0 && pipe(q) == 0 && pipe(r) == 0);
  pid_t a = fork();
  if (a == 0) {
    close(p[0]), close(q[0]), close(q[1]), close(r[0]), close(r[1]);
    for (int i = 0; i < 16; i++) {
      fill(data, sizeof data, i);
      for (size_t at = 0; at < sizeof data;) {
        ssize_t n = write(p[1], data + at, sizeof data - at);
        check(n > 0);
        at += n;
      }
    }
    _exit(1);
  }
  pid_t b = fork();
  if (b == 0) {
    close(p[1]), close(q[0]), close(r[0]), close(r[1]);
    ssize_t n;
    while ((n = read(p[0], data, 5000)) > 0) {
      for (ssize_t i = 0; i < n; i++) data[i] ^= 0x55;
      check(write(q[1], data, n) == n);
    }
    _exit(2);
  }
  pid_t c = fork();
  if (c == 0) {
    close(p[0]), close(p[1]), close(q[1]), close(r[0]);
    uint64_t h = 14695981039346656037ull, total = 0;
    ssize_t n;
    while ((n = read(q[0], data, sizeof data)) > 0) {
      for (ssize_t i = 0; i < n; i++) h = (h ^ (unsigned char)data[i]) * 1099511628211ull;
      total += n;
    }
    uint64_t answer[2] = {h, total};
    check(write(r[1], answer, sizeof answer) == sizeof answer);
    _exit(3);
  }
  close(p[0]), close(p[1]), close(q[0]), close(q[1]), close(r[1]);
  uint64_t answer[2];
  check(read(r[0], answer, sizeof answer) == sizeof answer);
  say("%llx of %llu\n", (unsigned long long)answer[0], (unsigned long long)answer[1]);
  show(read(r[0], answer, 1));
  show_end("first", a), show_end("second", b), show_end("third", c);
  done();
}
