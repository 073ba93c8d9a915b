// Abstract: several threads accept at one listening socket; each client is served once.
#include "thread.h"
#include <sys/socket.h>
#include <sys/un.h>

enum { N = 4, CLIENTS = 24 };
static int l;
static atomic_int served;
static void *accepts(void *arg) {
  for (;;) {
    char b;
    int s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    check(s >= 0);
    ssize_t n = read(s, &b, 1);
    if (n == 1 && b == 'q') {
      check(close(s) == 0);
      return arg;
    }
    check(n == 1 && write(s, &b, 1) == 1 && close(s) == 0);
    served++;
  }
}
static int connect_to(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  check(connect(s, (void *)&a, sizeof a) == 0);
  return s;
}

int main(void) {
  pthread_t t[N];
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  check(bind(l, (void *)&a, sizeof a) == 0 && listen(l, 64) == 0);
  for (int i = 0; i < N; i++) t[i] = start(accepts, NULL);
  for (int i = 0; i < CLIENTS; i++) {
    char b = 'a' + (char)(i % 10);
    int s = connect_to();
    check(write(s, &b, 1) == 1 && read(s, &b, 1) == 1 && b == 'a' + i % 10 && close(s) == 0);
  }
  for (int i = 0; i < N; i++) {
    int s = connect_to();
    check(write(s, "q", 1) == 1);
    char b;
    check(read(s, &b, 1) == 0 && close(s) == 0);
  }
  for (int i = 0; i < N; i++) end(t[i]);
  say("%d\n", served);
  check(unlink("socket") == 0);
  done();
}
