// Abstract: an exec that fails in a child changes nothing there.
// Protect: 0
#include "guest.h"

static void try(const char *path) {
  pid_t c = fork();
  if (c == 0) {
    int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    char *args[] = {"x", NULL};
    execv(path, args);
    say("%s: %s, descriptor %d\n", path, strerrorname_np(errno), fcntl(fd, F_GETFD));
    signal(SIGTERM, SIG_DFL);
    kill(getpid(), SIGTERM);
    _exit(0);
  }
  show_end("child", c);
}
int main(void) {
  make_file("plain", "data");
  make_file("script", "#!/none/such\n");
  make_file("text", "\177ELF nonsense that no kernel can load, long enough for a header of a program, sixty-four bytes");
  check(chmod("script", 0755) == 0 && chmod("text", 0755) == 0);
  try("none");
  try("plain");
  try("script");
  try("text");
  try("/");
  try("");
  done();
}
