// Abstract: epoll over 200 pipes, in rounds of at most 16 events, sees each one once.
#include "guest.h"
#include <sys/epoll.h>

int main(void) {
  enum { N = 200 };
  int p[N][2], e = epoll_create1(0), seen[N] = {0}, total = 0;
  for (int i = 0; i < N; i++) {
    struct epoll_event v = {EPOLLIN, {.u32 = i}};
    check(pipe(p[i]) == 0 && epoll_ctl(e, EPOLL_CTL_ADD, p[i][0], &v) == 0);
  }
  for (int i = 0; i < N; i += 3) check(write(p[i][1], &i, sizeof i) == sizeof i);
  struct epoll_event out[16];
  int n;
  while ((n = epoll_wait(e, out, 16, 0)) > 0)
    for (int k = 0; k < n; k++) {
      int i = out[k].data.u32, value;
      check(read(p[i][0], &value, sizeof value) == sizeof value && value == i);
      seen[i]++, total++;
    }
  for (int i = 0; i < N; i++) check(seen[i] == (i % 3 == 0));
  say("%d events\n", total);
  sigset_t s;
  sigemptyset(&s);
  show(epoll_pwait(e, out, 16, 5, &s));
  struct timespec t = {0, 5000000};
  show(epoll_pwait2(e, out, 16, &t, NULL));
  done();
}
