// Abstract: a large write that is under way when a child becomes a set is written whole.
// Protect: 20
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  static char data[1 << 20];
  for (int i = 0; i < 3; i++) {
    int p[2];
    check((i == 1 ? socketpair(AF_UNIX, SOCK_STREAM, 0, p) : pipe(p)) == 0);
    pid_t c = fork();
    if (c == 0) {
      close(p[0]);
      fill(data, sizeof data, i);
      struct iovec v[2] = {{data, 1000}, {data + 1000, sizeof data - 1000}};
      ssize_t n = i == 0 ? write(p[1], data, sizeof data) : i == 1 ? send(p[1], data, sizeof data, 0) : writev(p[1], v, 2);
      _exit(n == sizeof data ? 0 : 1);
    }
    close(p[1]);
    pause_ms(60);
    uint64_t h = 14695981039346656037ull;
    ssize_t n;
    static char in[30000];
    while ((n = read(p[0], in, sizeof in)) > 0)
      for (ssize_t k = 0; k < n; k++) h = (h ^ (unsigned char)in[k]) * 1099511628211ull;
    say("%llx\n", (unsigned long long)h);
    show_end("child", c);
    close(p[0]);
  }
  done();
}
