// Abstract: a program that executes itself keeps pid, descriptors, mask, ignored signals and cwd.
#include "guest.h"

static void handler(int sig) { (void)sig; }

int main(int argc, char **argv) {
  sigset_t s;
  if (argc == 1) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    check(open("f", O_RDWR | O_CREAT, 0644) == 3 && open("g", O_RDWR | O_CREAT | O_CLOEXEC, 0644) == 4);
    check(write(3, "before exec ", 12) == 12);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTERM, handler);
    raise(SIGUSR1);
    mkdir("d", 0755);
    check(chdir("d") == 0);
    umask(077);
    setenv("PASSED", "on", 1);
    printf("lost in the buffer");
    char *args[] = {argv[0], "again", pid, NULL};
    execv(argv[0], args);
    return 1;
  }
  say("%s, pid the same: %d, PASSED=%s\n", argv[1], atoi(argv[2]) == getpid(), getenv("PASSED"));
  show(write(3, "after", 5));
  show(fcntl(4, F_GETFD));
  sigprocmask(SIG_BLOCK, NULL, &s);
  say("blocked %d\n", sigismember(&s, SIGUSR1));
  sigpending(&s);
  say("pending %d\n", sigismember(&s, SIGUSR1));
  struct sigaction a;
  sigaction(SIGUSR2, NULL, &a);
  say("ignored %d\n", a.sa_handler == SIG_IGN);
  sigaction(SIGTERM, NULL, &a);
  say("default %d\n", a.sa_handler == SIG_DFL);
  show(umask(0));
  show_file("../f");
  show(getenv("LD_PRELOAD") != NULL);
  done();
}
