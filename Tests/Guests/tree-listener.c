// Abstract: three children serve one listening socket that they have inherited.
// Protect: 0
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "l"};
  check(bind(l, (void *)&u, sizeof u) == 0 && listen(l, 16) == 0);
  pid_t c[3];
  for (int i = 0; i < 3; i++)
    if ((c[i] = fork()) == 0)
      for (;;) {
        char b[8];
        int s = accept(l, NULL, NULL);
        check(s >= 0 && read(s, b, 1) == 1);
        if (b[0] == 'q') _exit(0);
        b[0]++;
        check(write(s, b, 1) == 1);
        close(s);
      }
  int good = 0;
  for (int i = 0; i < 90; i++) {
    char b = 'a';
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    check(connect(s, (void *)&u, sizeof u) == 0 && write(s, &b, 1) == 1 && read(s, &b, 1) == 1);
    good += b == 'b';
    close(s);
  }
  say("%d answers\n", good);
  for (int i = 0; i < 3; i++) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    check(connect(s, (void *)&u, sizeof u) == 0 && write(s, "q", 1) == 1);
    char b;
    while (read(s, &b, 1) > 0) {
    }
    close(s);
  }
  for (int i = 0; i < 3; i++) show_end("worker", c[i]);
  unlink("l");
  done();
}
