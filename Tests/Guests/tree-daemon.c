// Abstract: a daemon of two forks and a session can be ended by the pid that it wrote down.
// Protect: 20
#include "guest.h"

static volatile int told;
static void handler(int sig) { told = sig; }
int main(void) {
  int p[2];
  char b;
  check(pipe(p) == 0);
  pid_t c = fork();
  if (c == 0) {
    check(setsid() == getpid());
    if (fork()) _exit(0);
    signal(SIGTERM, handler);
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    FILE *f = fopen("pid", "w");
    fprintf(f, "%d", getpid());
    fclose(f);
    check(write(p[1], "r", 1) == 1);
    while (!told) sigsuspend(&before);
    check(write(p[1], "e", 1) == 1);
    _exit(0);
  }
  show_end("front", c);
  close(p[1]);
  check(read(p[0], &b, 1) == 1);
  int pid = 0;
  FILE *f = fopen("pid", "r");
  check(fscanf(f, "%d", &pid) == 1 && kill(pid, 0) == 0);
  fclose(f);
  unlink("pid");
  pause_ms(150); // it may become a set meanwhile
  show(kill(pid, SIGTERM));
  show(read(p[0], &b, 1));
  show(read(p[0], &b, 1));
  done();
}
