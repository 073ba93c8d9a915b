// Abstract: arguments arrive as given; argv[0], auxv, program_invocation_name and cmdline agree.
// Args: one --two -- -3 --level 7 "quoted" $HOME *
#include "guest.h"
#include <sys/auxv.h>

int main(int argc, char **argv) {
  for (int i = 1; i <= argc; i++) say("%d %s\n", i, argv[i] ? argv[i] : "(null)");
  say("%s\n", program_invocation_short_name);
  say("%s\n", strrchr(argv[0], '/') + 1);
  check(!strcmp((char *)getauxval(AT_EXECFN), argv[0]));
  check(argv[argc + 1] == environ[0]);
  char b[1024];
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t n = read(fd, b, sizeof b), m = 0;
  for (int i = 0; i < argc; i++) {
    check(!memcmp(b + m, argv[i], strlen(argv[i]) + 1));
    m += strlen(argv[i]) + 1;
  }
  check(n == m);
  close(fd);
  fd = open("/proc/self/comm", O_RDONLY);
  n = read(fd, b, sizeof b);
  say("%.*s", (int)n, b);
  done();
}
