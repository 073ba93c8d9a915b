// Abstract: a child executes a file by its descriptor.
// Protect: 0
#include "guest.h"

int main(int argc, char **argv) {
  if (argc > 1) return say("by %s\n", argv[1]), 6;
  for (int i = 0; i < 2; i++) {
    pid_t c = fork();
    if (c == 0) {
      int fd = open("/proc/self/exe", O_RDONLY | (i ? O_CLOEXEC : 0));
      check(fd >= 0);
      char *args[] = {argv[0], i ? "execveat" : "fexecve", NULL};
      if (i) execveat(fd, "", args, environ, AT_EMPTY_PATH);
      else fexecve(fd, args, environ);
      _exit(1);
    }
    show_end("child", c);
  }
  done();
}
