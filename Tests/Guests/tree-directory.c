// Abstract: directory, mask and priority of a child are its own.
// Protect: 10
#include "guest.h"

int main(void) {
  char text[4096];
  check(mkdir("d", 0755) == 0);
  umask(027);
  pid_t c = fork();
  if (c == 0) {
    check(chdir("d") == 0);
    umask(077);
    check(nice(3) >= 0);
    pause_ms(30);
    make_file("made", "x");
    struct stat st;
    check(stat("made", &st) == 0);
    say("%o %s %d\n", st.st_mode & 0777, strrchr(getcwd(text, sizeof text), '/'), nice(0) >= 3);
    _exit(0);
  }
  show_end("child", c);
  say("%o %s\n", umask(0), strrchr(getcwd(text, sizeof text), '/'));
  done();
}
